# SPDX-License-Identifier: MIT
set(probe_dir ${PROJECT_SOURCE_DIR}/plugins)
tend_unit_test(test_http_parts
	SOURCES test_http_parts.c ${probe_dir}/http/expect.c ${probe_dir}/http/fault.c
		${probe_dir}/http/form.c ${probe_dir}/http/pointer.c ${probe_dir}/http/quota.c
		${probe_dir}/http/token.c ${probe_dir}/http/window.c
	LIBS tend_base tend_stream PkgConfig::JANSSON m)
tend_unit_test(test_mail_answers
	SOURCES test_mail_answers.c ${probe_dir}/imap/answer.c ${probe_dir}/smtp/reply.c LIBS tend_base)

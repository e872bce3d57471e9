# SPDX-License-Identifier: MIT
set(probe_dir ${PROJECT_SOURCE_DIR}/plugins)
tend_fuzz_target(http_form SOURCES fuzz_http_form.c ${probe_dir}/http/form.c LIBS tend_base)
tend_fuzz_target(http_answer
	SOURCES fuzz_http_answer.c ${probe_dir}/http/expect.c ${probe_dir}/http/fault.c
		${probe_dir}/common/pattern.c ${probe_dir}/http/pointer.c ${probe_dir}/http/quota.c ${probe_dir}/http/token.c
		${probe_dir}/http/window.c
	LIBS tend_base tend_stream PkgConfig::JANSSON m)
tend_fuzz_target(smtp_reply SOURCES fuzz_smtp_reply.c ${probe_dir}/smtp/reply.c LIBS tend_base)
tend_fuzz_target(imap_answer SOURCES fuzz_imap_answer.c ${probe_dir}/imap/answer.c LIBS tend_base)

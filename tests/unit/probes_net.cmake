# SPDX-License-Identifier: MIT
# Pure parts of the network probes; the probes themselves meet real servers in tests/system.
set(probe_dir ${PROJECT_SOURCE_DIR}/plugins)
tend_unit_test(test_ping SOURCES test_ping.c LIBS tend_net tend_spawn)
if(TARGET tend_stream)
	tend_unit_test(test_stream_parts SOURCES test_stream_parts.c LIBS tend_base tend_net tend_watch tend_stream)
	tend_unit_test(test_net_probes
		SOURCES test_net_probes.c ${probe_dir}/dns/judge.c ${probe_dir}/dns/message.c
			${probe_dir}/dns/record.c ${probe_dir}/ntp/packet.c ${probe_dir}/redis/info.c
			${probe_dir}/redis/judge.c ${probe_dir}/redis/resp.c ${probe_dir}/ssh/banner.c
			${probe_dir}/tls/judge.c
		LIBS tend_watch tend_stream m)
endif()

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
# All of it but what asks and what is asked of: agent.c, snmp.c and judge.c meet real agents.
tend_unit_test(test_snmp_probe
	SOURCES test_snmp_probe.c ${probe_dir}/snmp/ber.c ${probe_dir}/snmp/message.c
		${probe_dir}/snmp/oid.c ${probe_dir}/snmp/pdu.c ${probe_dir}/snmp/plan.c
		${probe_dir}/snmp/rate.c ${probe_dir}/snmp/table.c ${probe_dir}/snmp/usm.c
	LIBS tend_base PkgConfig::CRYPTO m)

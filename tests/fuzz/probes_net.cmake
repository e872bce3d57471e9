# SPDX-License-Identifier: MIT
set(probe_dir ${PROJECT_SOURCE_DIR}/plugins)
tend_fuzz_target(starttls SOURCES fuzz_starttls.c ${probe_dir}/common/starttls.c LIBS tend_base)
tend_fuzz_target(redis
	SOURCES fuzz_redis.c ${probe_dir}/redis/info.c ${probe_dir}/redis/judge.c ${probe_dir}/redis/resp.c
	LIBS tend_base PkgConfig::SSL)
tend_fuzz_target(dns_message
	SOURCES fuzz_dns_message.c ${probe_dir}/dns/judge.c ${probe_dir}/dns/message.c
		${probe_dir}/dns/record.c
	LIBS tend_base)
tend_fuzz_target(ntp SOURCES fuzz_ntp.c ${probe_dir}/ntp/packet.c LIBS tend_base m)
tend_fuzz_target(ssh_banner SOURCES fuzz_ssh_banner.c ${probe_dir}/ssh/banner.c LIBS tend_base)
tend_fuzz_target(echo SOURCES fuzz_echo.c LIBS tend_net)
foreach(name redis starttls)
	if(TARGET fuzz_${name})
		target_include_directories(fuzz_${name} PRIVATE ${probe_dir})
	endif()
endforeach()
tend_fuzz_target(ssh_kex
	SOURCES fuzz_ssh_kex.c ${probe_dir}/ssh/hostkey.c ${probe_dir}/ssh/kex.c
	LIBS tend_base PkgConfig::CRYPTO)
tend_fuzz_target(snmp_probe
	SOURCES fuzz_snmp_probe.c ${probe_dir}/snmp/ber.c ${probe_dir}/snmp/message.c
		${probe_dir}/snmp/oid.c ${probe_dir}/snmp/pdu.c ${probe_dir}/snmp/plan.c
		${probe_dir}/snmp/table.c ${probe_dir}/snmp/usm.c
	LIBS tend_base PkgConfig::CRYPTO m)

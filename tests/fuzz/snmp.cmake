# SPDX-License-Identifier: MIT
tend_fuzz_target(varbinds SOURCES fuzz_varbinds.c LIBS tend_snmp_net tend_snmp_mirror)
tend_fuzz_target(snmp_answers SOURCES fuzz_snmp_answers.c LIBS tend_snmp_net)
tend_fuzz_target(agentx SOURCES fuzz_agentx.c LIBS tend_snmp_mirror)

# SPDX-License-Identifier: MIT
tend_unit_test(test_exec_manifest SOURCES test_exec_manifest.c LIBS tend_exec)
tend_unit_test(test_exec_fence SOURCES test_exec_fence.c LIBS tend_exec)
tend_unit_test(test_exec_request SOURCES test_exec_request.c LIBS tend_exec)
tend_unit_test(test_exec_launch SOURCES test_exec_launch.c LIBS tend_exec)
tend_unit_test(test_exec_ledger SOURCES test_exec_ledger.c LIBS tend_exec)
tend_unit_test(test_exec_output SOURCES test_exec_output.c LIBS tend_exec)
tend_unit_test(test_exec_client SOURCES test_exec_client.c LIBS tend_exec_client)
tend_unit_test(test_policy_fence SOURCES test_policy_fence.c LIBS tend_policy)

/* SPDX-License-Identifier: MIT */
/* journalctl's JSON lines about a unit.
 * Parser: daemon/watch/unit_evidence.c.
 */
#include <stdint.h>
#include "watch/unit_journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)unit_journal_judge((const char *)data, size, "");
	(void)unit_journal_judge((const char *)data, size, "11111111111111111111111111111111");
	return 0;
}

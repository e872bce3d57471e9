/* SPDX-License-Identifier: MIT */
/* People who are at this host; who is at another one its executor says (act_order()). */
#include "exec/people.h"
#include "policy/gates.h"

bool operators_allow(const struct conf_daemon *conf, char why[256])
{
	return people_away(conf->hold_on_dpkg, conf->hold_on_login, why);
}

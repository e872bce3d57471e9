/* SPDX-License-Identifier: MIT */
/*
 * init/look.h: what is on this machine, as one JSON document of facts. Reads only. Blocks. What
 * could not be seen is told in "unseen", in words. The document is the caller's:
 * {"host","root","units":[{"name","description","state"}],"timers":[{"name","unit"}],
 * "listeners":[{"port","address","process","unit"}],"open":[{"port","protocol","address"}],
 * "sites":[see webconf.h],"crms":[{"kind","root","config","store","unit","port"}],
 * "certificates":[PATH],"sockets":[PATH],"unseen":[TEXT]}
 */
#ifndef INIT_LOOK_H
#define INIT_LOOK_H

#include <jansson.h>

json_t *look_facts(void); /* NULL: no memory */

/* Parts: each adds to `facts`. */
void look_listeners(json_t *facts);
void look_web(json_t *facts);
void look_crms(json_t *facts);
__attribute__((format(printf, 2, 3))) void look_unseen(json_t *facts, const char *format, ...);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * init/webconf.h: the sites that a file of nginx's or Apache's configuration serves. Pure; reads
 * foreign text of any shape and takes what it understands. At most WEBCONF_MAX_SITES; the list is
 * the caller's: [{"server","name","port","tls","certificate","root","proxy"}], what is not said is
 * null.
 */
#ifndef INIT_WEBCONF_H
#define INIT_WEBCONF_H

#include <jansson.h>

enum { WEBCONF_MAX_SITES = 64 };

/* Adds to `sites`. */
void webconf_nginx(const char *text, json_t *sites);
void webconf_apache(const char *text, json_t *sites);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * try/catalog.h: what a probe's tables say, as JSON: options, metrics, reasons, an example. One
 * source for `tendctl probe`, its -o json, tend-probes(7) and the tests. Documents are the
 * caller's; NULL: no memory. Blocks on the plugin's file only.
 */
#ifndef TRY_CATALOG_H
#define TRY_CATALOG_H

#include <jansson.h>
#include <stdio.h>
#include <tend/error.h>
#include <tend/plugin.h>

/* {"name","doc","service","options":[{"name","type","default","least","greatest","unit","choices",
 * "required","map","help"}],"metrics":[{"name","unit","instances","help"}],
 * "reasons":[{"name","state","common","when"}],"example"}: absent values are null. */
json_t *catalog_probe(const struct tend_probe *probe);
/* A list of them, by name: of each *.so of the folder. A plugin that cannot be loaded is told and
 * left out, and makes it -EINVAL; the list is given all the same. */
int catalog_read(const char *dir, FILE *complaints, json_t **ret_list);

/* page.c: what people see. */
void page_list(FILE *out, const json_t *list);
void page_probe(FILE *out, const json_t *probe);
void page_roff(FILE *out, const json_t *probe);

#endif

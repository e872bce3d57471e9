/* SPDX-License-Identifier: MIT */
/*
 * A body for /v1/events. Whatever it is: what is taken is bounded, clean text with a fingerprint,
 * and read again it is the same. Parser: daemon/api/inbound.c.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include "api/inbound.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct conf conf;
static struct conf_component web = {.name = (char[]){"crm/web"}},
			     rest = {.name = (char[]){"crm/x"}};
static struct conf_source source = {
	.name = (char[]){"prom"},
	.component_label = (char[]){"tend_component"},
	.severity_label = (char[]){"severity"},
	.critical = (char *[]){(char[]){"critical"}, NULL},
	.ignore = (char *[]){(char[]){"none"}, NULL},
};

static void set_up(void)
{
	static struct conf_source_rule rule;

	rule.component = &rest;
	assert(matchers_parse("job=~\"db.*\"", NULL, &rule.match) == 0);
	assert(vec_push(&source.rules, &rule) == 0);
	assert(map_put(&conf.components, "crm/web", &web) == 0);
}

static void look(const struct inbound_event *event)
{
	auto_free char *advice = inbound_advice(&source, event);
	const char *name;
	json_t *value;
	size_t n_bytes = 0;

	assert(advice);
	assert(strlen(event->text) < RESULT_TEXT_BYTES && event->text[0]);
	for (const char *p = event->text; *p; p++)
		assert((unsigned char)*p >= ' ' && *p != 0x7f);
	if (event->refused)
		return;
	assert(strlen(event->fingerprint) == EVENT_FINGERPRINT_BYTES - 1);
	assert(strspn(event->fingerprint, "0123456789abcdef") == EVENT_FINGERPRINT_BYTES - 1);
	assert(event->state == TEND_STATE_OK || event->state == TEND_STATE_WARNING ||
		event->state == TEND_STATE_CRITICAL);
	assert(!event->component || event->component == &web || event->component == &rest);
	assert(json_object_size(event->labels) <= INBOUND_MAX_LABELS);
	json_object_foreach (event->labels, name, value) {
		assert(match_name_valid(name, strlen(name)));
		assert(strlen(json_string_value(value)) < INBOUND_LABEL_BYTES);
	}
	assert(json_object_size(event->told) <= EVENT_MAX_LABELS);
	json_object_foreach (event->told, name, value) {
		assert(match_name_valid(name, strlen(name)));
		assert(strlen(json_string_value(value)) < EVENT_LABEL_BYTES);
		n_bytes += strlen(name) + strlen(json_string_value(value));
	}
	assert(n_bytes <= EVENT_LABELS_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct inbound once, again;
	struct tend_error err = {0};
	const char *body = (const char *)data;

	if (conf.components.len == 0)
		set_up();
	if (inbound_parse(&conf, &source, body, size, &err, &once) < 0) {
		assert(err.text[0]);
		return 0;
	}
	assert(once.n <= INBOUND_MAX);
	assert(inbound_parse(&conf, &source, body, size, &err, &again) == 0);
	assert(again.n == once.n);
	for (size_t i = 0; i < once.n; i++) {
		look(&once.events[i]);
		assert(strcmp(once.events[i].fingerprint, again.events[i].fingerprint) == 0);
		assert(strcmp(once.events[i].text, again.events[i].text) == 0);
	}
	inbound_clear(&once);
	inbound_clear(&again);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "base/str.h"
#include "ctl/ask.h"
#include "ctl/commands.h"

static const struct ctl_column columns[] = {
	{"RECEIVER", "name", CTL_TEXT},
	{"TYPE", "type", CTL_TEXT},
	{"DELIVERED", "delivered", CTL_TEXT},
	{"FAILED", "failed", CTL_TEXT},
	{"TRIES", "tries", CTL_TEXT},
	{"WAITING", "waiting", CTL_TEXT},
	{"OLDEST", "oldest", CTL_AGO},
	{"RESTING", "breaker_open", CTL_YESNO},
	{"PER MIN", "delivered_per_minute", CTL_TEXT},
	{"LAST ERROR", "last_error", CTL_TEXT},
	{0},
};

static const struct ctl_column fields[] = {
	{"Receiver", "name", CTL_TEXT},
	{"Type", "type", CTL_TEXT},
	{"Target", "target", CTL_TEXT},
	{"Our engine id", "engine_id", CTL_TEXT},
	{"Enabled", "enabled", CTL_YESNO},
	{"Disabled because", "disabled_why", CTL_TEXT},
	{"Delivered", "delivered", CTL_TEXT},
	{"Last delivered", "last_delivered", CTL_TIME},
	{"Failed", "failed", CTL_TEXT},
	{"Shed", "shed", CTL_TEXT},
	{"Tries", "tries", CTL_TEXT},
	{"Waiting", "waiting", CTL_TEXT},
	{"Waiting bytes", "waiting_bytes", CTL_TEXT},
	{"Oldest waiting", "oldest", CTL_TIME},
	{"In flight", "in_flight", CTL_TEXT},
	{"Waited through an outage", "backlog", CTL_TEXT},
	{"Resting", "breaker_open", CTL_YESNO},
	{"Next try", "next_try", CTL_TIME},
	{"Gathering", "storming", CTL_YESNO},
	{"Delivered a minute", "delivered_per_minute", CTL_TEXT},
	{"The same over 14 min", "delivered_per_minute_15", CTL_TEXT},
	{"Tries a minute", "tries_per_minute", CTL_TEXT},
	{"Sequence", "sequence", CTL_TEXT},
	{"Format", "format.name", CTL_TEXT},
	{"Format is", "format.state", CTL_TEXT},
	{"Format failed", "format.failed", CTL_TEXT},
	{"Format's last error", "format.error", CTL_TEXT},
	{"Last error", "last_error", CTL_TEXT},
	{"Last error at", "last_error_at", CTL_TIME},
	{0},
};

static const struct ctl_column delivery_columns[] = {
	{"NOTICE", "notice", CTL_ID},
	{"STATE", "state", CTL_STATE},
	{"KIND", "kind", CTL_TEXT},
	{"SUBJECT", "fingerprint", CTL_TEXT},
	{"AT", "at", CTL_TIME},
	{"TRIES", "tries", CTL_TEXT},
	{"LAST ERROR", "last_error", CTL_TEXT},
	{0},
};

static int receiver_list(struct ctl *ctl, char *const *args, int n_args)
{
	return ask_list(ctl, "/v1/receivers", NULL, columns);
}

static void receiver_page(struct ctl *ctl, const json_t *receiver)
{
	text_object(ctl, receiver, fields);
	text_title(ctl, "Latest deliveries");
	text_list(ctl, ctl_lookup(receiver, "deliveries"), delivery_columns);
}

static int add_deliveries(struct ctl *ctl, json_t *receiver)
{
	auto_free char *name = client_escape(ctl_string(receiver, "name"), false);
	auto_free char *path =
		name ? str_printf("/v1/deliveries?limit=10&receiver=%s", name) : NULL;
	json_t *rows = NULL;
	int r = client_get(ctl, path, &rows);

	if (r == 0)
		(void)json_object_set_new(receiver, "deliveries", rows);
	return r;
}

static int receiver_show(struct ctl *ctl, char *const *args, int n_args)
{
	auto_json json_t *receiver = NULL;
	int r = client_get_named(ctl, "/v1/receivers", "receiver", args[0], &receiver);

	if (r == 0)
		r = add_deliveries(ctl, receiver);
	if (r != 0)
		return r;
	ctl->writer->page(ctl, receiver, receiver_page);
	return CTL_OK;
}

static const struct ctl_column test_fields[] = {
	{"Notice", "notice", CTL_TEXT},
	{"Receiver", "receiver", CTL_TEXT},
	{"State", "state", CTL_STATE},
	{"Tries", "tries", CTL_TEXT},
	{"Error", "error", CTL_TEXT},
	{0},
};

static void test_page(struct ctl *ctl, const json_t *answer)
{
	text_object(ctl, answer, test_fields);
	if (strcmp(ctl_string(answer, "state"), "waiting") == 0)
		(void)fprintf(ctl->out, "It goes on being tried: tendctl delivery show %s\n",
			ctl_string(answer, "notice"));
}

static int receiver_test(struct ctl *ctl, char *const *args, int n_args)
{
	auto_free char *path = client_path("/v1/receivers/", args[0], "/test");
	auto_json json_t *answer = NULL;
	int r = client_post(ctl, path, NULL, true, &answer);

	if (r != 0)
		return r;
	ctl->writer->page(ctl, answer, test_page);
	return strcmp(ctl_string(answer, "state"), "delivered") == 0 ? CTL_OK : CTL_FAILED;
}

static const struct ctl_verb verbs[] = {
	{"list", "", 0, 0, 0, receiver_list, "who is told, and how that goes"},
	{"show", "RECEIVER", 1, 1, 0, receiver_show, "one of them, with what it was told last"},
	{"test", "RECEIVER", 1, 1, 0, receiver_test,
		"send it a test notice and wait for the outcome"},
	{0},
};
const struct ctl_command ctl_receiver = {"receiver", "Where notices go.", verbs};

/* SPDX-License-Identifier: MIT */
/* Views and their texts, by tables; the samples as formats get them, by files. `test_view --accept`
 * writes these anew: then read the diff. */
#include "unit.h"
#include <string.h>
#include <tend/reason.h>
#include "alert/sample.h"
#include "alert/text.h"
#include "alert/view.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"

static bool accepting;

static const char *get(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static json_t *sample(const char *name, enum conf_language language)
{
	const struct sample_options options = {.name = name, .language = language};
	json_t *view;

	assert_int_equal(sample_view(&options, &view), 0);
	return view;
}

/* ---- texts ---------------------------------------------------------------------------------- */

static void test_expand(void **state)
{
	static const struct {
		const char *sentence, *a, *b, *expected;
	} rows[] = {
		{"plain", "A", "B", "plain"},
		{"{a}", "A", "B", "A"},
		{"{a}{b}{a}", "A", "B", "ABA"},
		{"{a} and {b}", "{b}", "B", "{b} and B"}, /* one pass */
		{"{c}x", "A", "B", "x"},
		{"{a", "A", "B", "{a"},
		{"{}", "A", "B", "{}"},
		{"{A}", "A", "B", "{A}"},
		{"{{a}}", "A", "B", "{A}"},
		{"}{", "A", "B", "}{"},
		{"{a}", NULL, "B", ""},
		{"级别:{a}。", "严重", NULL, "级别:严重。"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct text_word words[] = {{"a", rows[i].a}, {"b", rows[i].b}, {NULL, NULL}};
		auto_str struct str out = STR_INIT(100);

		assert_int_equal(text_expand(&out, rows[i].sentence, words), 0);
		assert_string_equal(str_get(&out), rows[i].expected);
	}
	auto_str struct str small = STR_INIT(4);
	const struct text_word words[] = {{"a", "12345"}, {NULL, NULL}};
	assert_int_equal(text_expand(&small, "{a}", words), -ENOBUFS);
}

/* Whoever adds a text, a kind or a reason adds its Chinese. */
static void test_every_text_in_every_language(void **state)
{
	for (int id = 0; id < TEXT_MAX; id++)
		for (int language = 0; language < LANGUAGE_MAX; language++)
			assert_non_null(text_sentence((enum text)id, (enum conf_language)language));
	for (int kind = 0; kind < NOTICE_KIND_MAX; kind++)
		assert_string_not_equal(text_kind((enum notice_kind)kind, LANGUAGE_ZH),
			notice_kind_name((enum notice_kind)kind));
	for (int reason = 0; reason < TEND_REASON_MAX; reason++) {
		const char *name = tend_reason_name((enum tend_reason)reason);

		assert_string_equal(
			text_reason(name, LANGUAGE_EN), tend_reason_text((enum tend_reason)reason));
		if (strcmp(text_reason(name, LANGUAGE_ZH),
			    tend_reason_text((enum tend_reason)reason)) == 0)
			fail_msg("reason '%s' has no Chinese in alert/text.c", name);
	}
	assert_null(text_reason("no-such-reason", LANGUAGE_ZH));
	assert_null(text_reason(NULL, LANGUAGE_EN));
}

static void test_spans(void **state)
{
	static const struct {
		usec_t seconds;
		const char *en, *zh;
	} rows[] = {
		{0, "0 s", "0 秒"},
		{59, "59 s", "59 秒"},
		{60, "1 min", "1 分钟"},
		{725, "12 min 5 s", "12 分钟 5 秒"},
		{3600, "1 h", "1 小时"},
		{3605, "1 h", "1 小时"},
		{90000, "1 d 1 h", "1 天 1 小时"},
	};
	char text[TEXT_SPAN_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_string_equal(
			text_span(rows[i].seconds * USEC_PER_SEC, LANGUAGE_EN, text), rows[i].en);
		assert_string_equal(
			text_span(rows[i].seconds * USEC_PER_SEC, LANGUAGE_ZH, text), rows[i].zh);
	}
}

/* ---- views ---------------------------------------------------------------------------------- */

static void test_titles(void **state)
{
	static const struct {
		const char *sample, *en, *zh;
	} rows[] = {
		{"raised", "[Critical] crm/web/login: no answer in time",
			"【严重】crm/web/login:响应超时"},
		{"changed", "[Warning] crm/web/login: a metric is outside its range (changed)",
			"【警告】crm/web/login:指标超出范围(有变化)"},
		{"cleared", "[Resolved] crm/web/login", "【已恢复】crm/web/login"},
		{"raised-cleared", "[Resolved] crm/web/login: was raised and cleared",
			"【已恢复】crm/web/login:曾告警,现已恢复"},
		{"policy", "[Critical] crm/web: a policy failed", "【严重】crm/web:自愈策略失败"},
		{"test", "[Info] crm.example: test notice", "【信息】crm.example:测试通知"},
		{"group",
			"2 firing, 1 resolved: crm/web/login, crm/storage/space, "
			"crm/database/blocked",
			"告警 2 条,恢复 1 "
			"条:crm/web/login、crm/storage/space、crm/database/blocked"},
		{"storm", "120 firing: crm/node1/login, crm/node2/login, crm/node3/login +117 more",
			"告警 120 条:crm/node1/login、crm/node2/login、crm/node3/login 等 120 项"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *en = sample(rows[i].sample, LANGUAGE_EN);
		auto_json json_t *zh = sample(rows[i].sample, LANGUAGE_ZH);

		assert_string_equal(get(en, "title"), rows[i].en);
		assert_string_equal(get(zh, "title"), rows[i].zh);
	}
}

static void test_texts(void **state)
{
	static const struct {
		const char *sample, *needle;
		enum conf_language language;
	} rows[] = {
		{"raised", "no answer from https://crm.example/login within 2 s\n", LANGUAGE_EN},
		{"raised", "Reason: no answer in time (too-slow)\n", LANGUAGE_EN},
		{"raised", "Component: crm/web (production)\n", LANGUAGE_EN},
		{"raised", "组件:crm/web(生产环境)\n", LANGUAGE_ZH},
		{"raised",
			"Acknowledge: tendctl incident acknowledge "
			"019cac8a-1111-7000-8000-000000000001 --comment '...'",
			LANGUAGE_EN},
		{"cleared", "Ended: 2026-03-02 04:05:06 UTC, after 13 min", LANGUAGE_EN},
		{"raised-cleared", "曾告警,现已恢复:200 OK in 0.2 s", LANGUAGE_ZH},
		{"late", "Delivered late: by 12 min 5 s.", LANGUAGE_EN},
		{"late", "延迟送达:12 分钟 5 秒。", LANGUAGE_ZH},
		{"group", "- [Resolved] crm/database/blocked", LANGUAGE_EN},
		{"storm", "\n+100 more", LANGUAGE_EN},
		{"storm", "\n另有 100 条", LANGUAGE_ZH},
	};
	static const char *const silent[] = {"cleared", "acknowledged", "group", "heartbeat"};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *view = sample(rows[i].sample, rows[i].language);

		if (!strstr(get(view, "text"), rows[i].needle))
			fail_msg("%s: no '%s' in:\n%s", rows[i].sample, rows[i].needle,
				get(view, "text"));
	}
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++) {
		auto_json json_t *view = sample(silent[i], LANGUAGE_EN);

		assert_null(strstr(get(view, "text"), "Acknowledge"));
		assert_true(json_is_null(json_object_get(json_object_get(view, "ack"), "command")));
	}
}

/* Each notice: C critical, W warning raised; X cleared; E event; the digit is the incident. */
static void test_statuses(void **state)
{
	static const struct {
		const char *notices, *status, *severity, *type;
		int n_firing, n_resolved;
		size_t n_alerts;
	} rows[] = {
		{"C1", "firing", "critical", "tend.incident.raised", 1, 0, 1},
		{"X1", "resolved", "critical", "tend.incident.cleared", 0, 1, 1},
		{"E0", "event", "info", "tend.policy.message", 0, 0, 1},
		{"W1X2", "firing", "warning", "tend.incident.group", 1, 1, 2},
		{"X1X2", "resolved", "critical", "tend.incident.group", 0, 2, 2},
		{"E0E0", "event", "info", "tend.incident.group", 0, 0, 2},
		{"E0X1", "resolved", "critical", "tend.incident.group", 0, 1, 2},
		{"W1C2W3", "firing", "critical", "tend.incident.group", 3, 0, 3},
		{"C1W1", "firing", "warning", "tend.incident.group", 1, 0, 1}, /* the latest */
		{"C1W2X1", "firing", "warning", "tend.incident.group", 1, 1, 2},
	};
	static const char *const incidents[] = {NULL, "i1", "i2", "i3"};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct notice notices[4] = {0};
		struct view_entry entries[4] = {0};
		size_t n = strlen(rows[i].notices) / 2;
		auto_json json_t *view = NULL;

		for (size_t k = 0; k < n; k++) {
			char letter = rows[i].notices[2 * k];

			notices[k] = (struct notice){.id = "x",
				.kind = letter == 'X'	? NOTICE_INCIDENT_CLEARED
					: letter == 'E' ? NOTICE_POLICY_MESSAGE
							: NOTICE_INCIDENT_RAISED,
				.severity = letter == 'W'   ? SEVERITY_WARNING
					    : letter == 'E' ? SEVERITY_INFO
							    : SEVERITY_CRITICAL,
				.incident_id = incidents[rows[i].notices[2 * k + 1] - '0'],
				.wall = 1000000};
			entries[k] = (struct view_entry){.notice = &notices[k], .sequence = k + 1};
		}
		const struct view_source source = {.id = "id",
			.receiver = "r",
			.host = "h",
			.epoch = "e",
			.wall = 2000000,
			.entries = entries,
			.n_entries = n};
		assert_int_equal(view_compose(&source, &view), 0);
		assert_string_equal(get(view, "status"), rows[i].status);
		assert_string_equal(get(view, "severity"), rows[i].severity);
		assert_string_equal(get(view, "type"), rows[i].type);
		assert_int_equal(
			json_integer_value(json_object_get(view, "n_firing")), rows[i].n_firing);
		assert_int_equal(json_integer_value(json_object_get(view, "n_resolved")),
			rows[i].n_resolved);
		assert_int_equal(
			json_array_size(json_object_get(view, "alerts")), rows[i].n_alerts);
	}
}

/* What was overtaken is named, so that every number can be accounted for. */
static void test_overtaken_is_named(void **state)
{
	struct notice notices[] = {
		{.id = "a", .kind = NOTICE_INCIDENT_RAISED, .incident_id = "i", .wall = 1},
		{.id = "b", .kind = NOTICE_INCIDENT_CHANGED, .incident_id = "i", .wall = 2},
		{.id = "c", .kind = NOTICE_INCIDENT_CLEARED, .incident_id = "i", .wall = 3},
	};
	const struct view_entry entries[] = {
		{.notice = &notices[0], .sequence = 1},
		{.notice = &notices[1], .sequence = 2},
		{.notice = &notices[2], .sequence = 3},
	};
	const struct view_source source = {.id = "id",
		.receiver = "r",
		.host = "h",
		.epoch = "e",
		.entries = entries,
		.n_entries = 3};
	auto_json json_t *view = NULL;
	json_t *superseded;

	assert_int_equal(view_compose(&source, &view), 0);
	superseded =
		json_object_get(json_array_get(json_object_get(view, "alerts"), 0), "superseded");
	assert_int_equal(json_array_size(superseded), 2);
	assert_string_equal(get(json_array_get(superseded, 0), "id"), "a");
	assert_string_equal(get(json_array_get(superseded, 1), "id"), "b");
	assert_string_equal(get(view, "title"), "[Resolved] h: was raised and cleared");
}

/* Beyond the bound details go first, then alerts, which are counted. */
static void test_bounds(void **state)
{
	enum { N = 400 };
	static struct notice notices[N];
	static struct view_entry entries[N];
	static char text[4001];
	auto_json json_t *details = json_object(), *view = NULL;
	size_t n_alerts, n_more;

	memset(text, 'x', sizeof(text) - 1);
	(void)json_object_set_new(details, "big", json_string(text));
	for (size_t i = 0; i < N; i++) {
		notices[i] = (struct notice){
			.id = "x", .kind = NOTICE_POLICY_MESSAGE, .text = text, .details = details};
		entries[i] = (struct view_entry){.notice = &notices[i], .sequence = i};
	}
	const struct view_source source = {.id = "id",
		.receiver = "r",
		.host = "h",
		.epoch = "e",
		.entries = entries,
		.n_entries = N};
	assert_int_equal(view_compose(&source, &view), 0);
	n_alerts = json_array_size(json_object_get(view, "alerts"));
	n_more = (size_t)json_integer_value(json_object_get(view, "n_more"));
	assert_in_range(n_alerts, 50, N - 1);
	assert_int_equal(n_alerts + n_more, N);
	assert_true(json_dumpb(view, NULL, 0, JSON_COMPACT) < 600 * 1024);
	assert_true(strlen(get(view, "title")) <= VIEW_TITLE_BYTES);
}

/* A whole storm, within a turn of the loop. */
static void test_two_thousand(void **state)
{
	enum { N = 2000 };
	static struct notice notices[N];
	static struct view_entry entries[N];
	static char names[N][64];
	usec_t began = clock_now();

	for (size_t i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "crm/component-%zu/check", i);
		notices[i] = (struct notice){.id = "x",
			.kind = i < N / 2 ? NOTICE_INCIDENT_RAISED : NOTICE_INCIDENT_CLEARED,
			.severity = SEVERITY_CRITICAL,
			.incident_id = names[i % (N / 2)],
			.check = names[i],
			.reason = "too-slow",
			.text = "no answer"};
		entries[i] = (struct view_entry){.notice = &notices[i], .sequence = i};
	}
	const struct view_source source = {.id = "id",
		.receiver = "r",
		.host = "h",
		.epoch = "e",
		.entries = entries,
		.n_entries = N};
	auto_json json_t *view = NULL;
	assert_int_equal(view_compose(&source, &view), 0);
	print_message("%d notices in %.1f ms\n", N, (double)(clock_now() - began) / 1000);
	/* Each was raised and cleared: half of them show. */
	assert_int_equal(json_integer_value(json_object_get(view, "n_resolved")), N / 2);
	assert_int_equal(json_integer_value(json_object_get(view, "n_firing")), 0);
	assert_int_equal(json_array_size(json_object_get(view, "alerts")) +
				 (size_t)json_integer_value(json_object_get(view, "n_more")),
		N / 2);
	assert_non_null(strstr(get(view, "title"), "1000 resolved: crm/component-1000/check"));
}

/* ---- samples -------------------------------------------------------------------------------- */

static void hold_against_file(const char *name, enum conf_language language)
{
	auto_json json_t *view = sample(name, language);
	auto_free char *path =
		str_printf("%s/%s-%s.json", FORMATS_DIR, name, conf_language_names[language]);
	auto_free char *text = json_dumps(view, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	auto_free char *whole = str_printf("%s\n", text), *expected = NULL;
	size_t len;

	if (accepting) {
		auto_file FILE *f = fopen(path, "w");

		assert_non_null(f);
		assert_true(fputs(whole, f) >= 0);
		return;
	}
	assert_int_equal(fs_read_file(path, 1 << 20, &expected, &len), 0);
	assert_string_equal(whole, expected);
}

static void test_samples(void **state)
{
	static const char *const names[] = {
		"raised", "cleared", "group", "message", "late", "heartbeat"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		for (int language = 0; language < LANGUAGE_MAX; language++)
			hold_against_file(names[i], (enum conf_language)language);
	for (size_t i = 0; sample_names[i]; i++)
		json_decref(sample(sample_names[i], LANGUAGE_EN));
	const struct sample_options none = {.name = "none"};
	json_t *view;
	assert_int_equal(sample_view(&none, &view), -ENOENT);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expand),
		cmocka_unit_test(test_every_text_in_every_language),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_titles),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_overtaken_is_named),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_two_thousand),
		cmocka_unit_test(test_samples),
	};

	accepting = argc == 2 && strcmp(argv[1], "--accept") == 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

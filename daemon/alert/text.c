/* SPDX-License-Identifier: MIT */
#include "alert/text.h"
#include <string.h>
#include <tend/reason.h>

static const char *const sentences[TEXT_MAX][LANGUAGE_MAX] = {
#define X(code, en, zh) [TEXT_##code] = {[LANGUAGE_EN] = (en), [LANGUAGE_ZH] = (zh)},
	TEXTS(X)
#undef X
};

static const char *const severities[SEVERITY_MAX][LANGUAGE_MAX] = {
	[SEVERITY_INFO] = {"Info", "信息"},
	[SEVERITY_WARNING] = {"Warning", "警告"},
	[SEVERITY_CRITICAL] = {"Critical", "严重"},
};

static const char *const kinds[NOTICE_KIND_MAX][LANGUAGE_MAX] = {
	[NOTICE_INCIDENT_RAISED] = {"incident", "发生故障"},
	[NOTICE_INCIDENT_CHANGED] = {"incident changed", "故障有变化"},
	[NOTICE_INCIDENT_CLEARED] = {"incident cleared", "故障已恢复"},
	[NOTICE_INCIDENT_REMINDER] = {"incident still open", "故障仍未恢复"},
	[NOTICE_INCIDENT_ACKNOWLEDGED] = {"incident acknowledged", "故障已确认"},
	[NOTICE_POLICY_FAILED] = {"a policy failed", "自愈策略失败"},
	[NOTICE_POLICY_MESSAGE] = {"message of a policy", "自愈策略消息"},
	[NOTICE_ACTIONS_FROZEN] = {"actions are frozen", "自动操作已冻结"},
	[NOTICE_CONFIG_FAILED] = {"the configuration was refused", "配置未被接受"},
	[NOTICE_STORE_FAILED] = {"the store fails", "存储故障"},
	[NOTICE_RECEIVER_DISABLED] = {"a receiver is disabled", "接收端已停用"},
	[NOTICE_RECEIVER_FAILING] = {"a receiver does not get its notices", "接收端未收到通知"},
	[NOTICE_BACKUP_STALE] = {"the backup is too old", "备份已过期"},
	[NOTICE_HEARTBEAT] = {"Tend is alive", "Tend 运行正常"},
	[NOTICE_TEST] = {"test notice", "测试通知"},
};

static const struct {
	const char *name, *texts[LANGUAGE_MAX];
} environments[] = {
	{"production", {"production", "生产环境"}},
	{"pilot", {"pilot", "试点环境"}},
	{"staging", {"staging", "预发环境"}},
};

/* English is the reasons' own text. */
static const char *const reasons_zh[TEND_REASON_MAX] = {
	[TEND_REASON_OK] = "符合预期",
	[TEND_REASON_DNS_FAILED] = "域名无法解析",
	[TEND_REASON_CONNECT_REFUSED] = "连接被拒绝",
	[TEND_REASON_CONNECT_TIMEOUT] = "连接超时",
	[TEND_REASON_CONNECT_FAILED] = "无法连接",
	[TEND_REASON_TLS_EXPIRED] = "证书已过期",
	[TEND_REASON_TLS_UNTRUSTED] = "证书不受信任",
	[TEND_REASON_TLS_FAILED] = "TLS 握手失败",
	[TEND_REASON_AUTH_FAILED] = "登录被拒绝",
	[TEND_REASON_PROTOCOL] = "应答不符合协议",
	[TEND_REASON_STATUS_UNEXPECTED] = "状态码异常",
	[TEND_REASON_CONTENT_UNEXPECTED] = "内容异常",
	[TEND_REASON_THRESHOLD] = "指标超出范围",
	[TEND_REASON_TOO_SLOW] = "响应超时",
	[TEND_REASON_OVERRUN] = "上一次检查尚未结束",
	[TEND_REASON_QUERY_FAILED] = "查询失败",
	[TEND_REASON_UNIT_FAILED] = "服务已失败",
	[TEND_REASON_UNIT_INACTIVE] = "服务未运行",
	[TEND_REASON_UNIT_STOPPED] = "服务被人工停止",
	[TEND_REASON_UNIT_MISSING] = "服务不存在",
	[TEND_REASON_UNIT_CHANGING] = "服务正在启动或停止",
	[TEND_REASON_CANCELLED] = "检查被取消",
	[TEND_REASON_NO_EVIDENCE] = "无法读取判断依据",
	[TEND_REASON_INTERNAL] = "检查程序自身出错",
	[TEND_REASON_REPORTED_WARNING] = "上报为警告",
	[TEND_REASON_REPORTED_CRITICAL] = "上报为严重",
	[TEND_REASON_REPORTED_UNKNOWN] = "上报为未知",
	[TEND_REASON_REPORT_MISSING] = "未按时收到上报",
	[TEND_REASON_PROGRAM_WARNING] = "程序报告警告",
	[TEND_REASON_PROGRAM_CRITICAL] = "程序报告严重",
	[TEND_REASON_PROGRAM_UNKNOWN] = "程序无法判断",
	[TEND_REASON_PROGRAM_FAILED] = "程序无法运行",
	[TEND_REASON_JOB_STUCK] = "任务已开始但未结束",
	[TEND_REASON_GROUP_DOWN] = "组内正常成员过少",
	[TEND_REASON_SPAWN_LOST] = "检查期间 tend-spawn 已退出",
	[TEND_REASON_TLS_NAME] = "证书域名不符",
	[TEND_REASON_TLS_EXPIRES] = "证书即将到期",
	[TEND_REASON_TLS_WEAK] = "协议或加密套件低于要求",
	[TEND_REASON_TLS_REVOKED] = "证书已被吊销",
	[TEND_REASON_NO_REPLY] = "主机无响应",
	[TEND_REASON_DNS_UNEXPECTED] = "解析记录与预期不符",
	[TEND_REASON_OBJECT_MISSING] = "所查对象不存在",
	[TEND_REASON_READ_ONLY] = "不接受写入",
	[TEND_REASON_LOCKED] = "正在等待锁",
	[TEND_REASON_CONNECTIONS_FULL] = "没有空闲连接",
	[TEND_REASON_REPLICATION_BROKEN] = "复制未运行",
	[TEND_REASON_SCHEMA_CHANGED] = "表结构已变化",
	[TEND_REASON_ROWS_LOST] = "数据行丢失",
	[TEND_REASON_STALE] = "上次成功已过久",
	[TEND_REASON_DATA_QUALITY] = "记录不符合规则",
	[TEND_REASON_OUT_OF_SYNC] = "两侧数据不一致",
	[TEND_REASON_VERSION_MISMATCH] = "版本不匹配",
	[TEND_REASON_PROCESS_MISSING] = "进程数不足",
	[TEND_REASON_FILE_MISSING] = "文件不存在",
	[TEND_REASON_FILE_CHANGED] = "文件与声明不符",
	[TEND_REASON_PATTERN_SEEN] = "日志中出现指定内容",
	[TEND_REASON_PATTERN_NEW] = "出现从未见过的消息",
	[TEND_REASON_UNDECLARED] = "与基线声明不符",
	[TEND_REASON_NOT_RUN] = "到期未运行",
	[TEND_REASON_DATABASE_MISSING] = "数据库不存在",
	[TEND_REASON_ACCESS_DENIED] = "缺少操作权限",
	[TEND_REASON_QUOTA] = "配额已用尽",
	[TEND_REASON_OFF_BASELINE] = "指标偏离常态",
	[TEND_REASON_FORECAST] = "即将超过上限",
	[TEND_REASON_STARTING] = "正在启动或关闭",
	[TEND_REASON_STEP_FAILED] = "流程的一个步骤失败",
	[TEND_REASON_REPORT_AWAITED] = "尚未收到首次上报",
};

const char *text_sentence(enum text id, enum conf_language language)
{
	return sentences[id][language];
}

const char *text_severity(enum conf_severity severity, enum conf_language language)
{
	return severities[severity][language];
}

const char *text_kind(enum notice_kind kind, enum conf_language language)
{
	const char *text = kind < NOTICE_KIND_MAX ? kinds[kind][language] : NULL;

	return text ? text : notice_kind_name(kind);
}

const char *text_reason(const char *name, enum conf_language language)
{
	int reason = name ? tend_reason_from_name(name) : -ENOENT;

	if (reason < 0)
		return NULL;
	if (language == LANGUAGE_ZH && reasons_zh[reason])
		return reasons_zh[reason];
	return tend_reason_text((enum tend_reason)reason);
}

const char *text_environment(const char *name, enum conf_language language)
{
	for (size_t i = 0; i < ARRAY_SIZE(environments); i++)
		if (strcmp(environments[i].name, name) == 0)
			return environments[i].texts[language];
	return name;
}

static const struct text_word *find_word(
	const struct text_word *words, const char *name, size_t len)
{
	for (const struct text_word *word = words; word && word->name; word++)
		if (strlen(word->name) == len && memcmp(word->name, name, len) == 0)
			return word;
	return NULL;
}

int text_expand(struct str *out, const char *sentence, const struct text_word *words)
{
	while (*sentence) {
		size_t plain = strcspn(sentence, "{"), len;
		const struct text_word *word;
		int r = str_append(out, sentence, plain);

		sentence += plain;
		if (r < 0 || !*sentence)
			return r;
		len = strspn(sentence + 1, "abcdefghijklmnopqrstuvwxyz_");
		if (len == 0 || sentence[len + 1] != '}') {
			r = str_append(out, sentence++, 1);
			if (r < 0)
				return r;
			continue;
		}
		word = find_word(words, sentence + 1, len);
		r = word && word->value ? str_append(out, word->value, strlen(word->value)) : 0;
		if (r < 0)
			return r;
		sentence += len + 2;
	}
	return 0;
}

int text_append(
	struct str *out, enum text id, enum conf_language language, const struct text_word *words)
{
	return text_expand(out, sentences[id][language], words);
}

/* ---- spans ---------------------------------------------------------------------------------- */

static void append_unit(struct str *out, enum text unit, usec_t n, enum conf_language language)
{
	char number[24];
	const struct text_word words[] = {{"n", number}, {NULL, NULL}};

	snprintf(number, sizeof(number), "%llu", (unsigned long long)n);
	(void)text_append(out, unit, language, words);
}

const char *text_span(usec_t span, enum conf_language language, char buf[TEXT_SPAN_BYTES])
{
	static const struct {
		enum text text;
		usec_t seconds;
	} units[] = {{TEXT_SPAN_DAYS, 86400}, {TEXT_SPAN_HOURS, 3600}, {TEXT_SPAN_MINUTES, 60},
		{TEXT_SPAN_SECONDS, 1}};
	auto_str struct str first = STR_INIT(TEXT_SPAN_BYTES - 1), rest = STR_INIT(TEXT_SPAN_BYTES),
			    both = STR_INIT(TEXT_SPAN_BYTES - 1);
	usec_t left = span / USEC_PER_SEC;
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(units) && left < units[i].seconds)
		i++;
	append_unit(&first, units[i].text, left / units[i].seconds, language);
	left %= units[i].seconds;
	if (i + 1 < ARRAY_SIZE(units) && left / units[i + 1].seconds > 0) {
		append_unit(&rest, units[i + 1].text, left / units[i + 1].seconds, language);
		const struct text_word words[] = {
			{"span", str_get(&first)}, {"rest", str_get(&rest)}, {NULL, NULL}};
		(void)text_append(&both, TEXT_SPAN_TWO, language, words);
	}
	snprintf(buf, TEXT_SPAN_BYTES, "%s", both.len ? str_get(&both) : str_get(&first));
	return buf;
}

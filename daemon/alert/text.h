/* SPDX-License-Identifier: MIT */
/*
 * alert/text.h: what Tend says to people, in every language it speaks: one table of sentences with
 * places for words in {braces}, one of reasons. Formats, mails and programs get these texts and add
 * markup only. Pure; nothing to free but the string that is appended to; fails for want of room.
 */
#ifndef ALERT_TEXT_H
#define ALERT_TEXT_H

#include "alert/alert.h"
#include "base/str.h"

/* X(CODE, English, Chinese) */
#define TEXTS(X)                                                                                   \
	X(TITLE_RAISED, "[{severity}] {subject}: {what}", "【{severity}】{subject}:{what}")        \
	X(TITLE_CHANGED, "[{severity}] {subject}: {what} (changed)",                               \
		"【{severity}】{subject}:{what}(有变化)")                                          \
	X(TITLE_CLEARED, "[Resolved] {subject}", "【已恢复】{subject}")                            \
	X(TITLE_RAISED_CLEARED, "[Resolved] {subject}: was raised and cleared",                    \
		"【已恢复】{subject}:曾告警,现已恢复")                                             \
	X(TITLE_REMINDER, "[{severity}] {subject}: {what} (still open)",                           \
		"【{severity}】{subject}:{what}(仍未恢复)")                                        \
	X(TITLE_ACKNOWLEDGED, "[Acknowledged] {subject}: {what}", "【已确认】{subject}:{what}")    \
	X(TITLE_EVENT, "[{severity}] {subject}: {kind}", "【{severity}】{subject}:{kind}")         \
	X(TITLE_GROUP, "{firing} firing, {resolved} resolved: {subjects}",                         \
		"告警 {firing} 条,恢复 {resolved} 条:{subjects}")                                  \
	X(TITLE_FIRING, "{firing} firing: {subjects}", "告警 {firing} 条:{subjects}")              \
	X(TITLE_RESOLVED, "{resolved} resolved: {subjects}", "恢复 {resolved} 条:{subjects}")      \
	X(TITLE_EVENTS, "{events} notices: {subjects}", "通知 {events} 条:{subjects}")             \
	X(LINE_REASON, "Reason: {reason} ({name})", "原因:{reason}({name})")                       \
	X(LINE_COMPONENT, "Component: {component} ({environment})",                                \
		"组件:{component}({environment})")                                                 \
	X(LINE_SINCE, "Since: {since}", "开始时间:{since}")                                        \
	X(LINE_ENDED, "Ended: {ended}, after {span}", "恢复时间:{ended},持续 {span}")              \
	X(LINE_LATE, "Delivered late: by {span}.", "延迟送达:{span}。")                            \
	X(LINE_INSTEAD, "Sent here because {receiver} could not be reached.",                      \
		"因无法送达 {receiver},改发至此。")                                                \
	X(LINE_ACKNOWLEDGE, "Acknowledge: {command}", "确认告警:{command}")                        \
	X(LINE_ALERT, "- {title}", "- {title}")                                                    \
	X(SUBJECTS_MORE, "{subjects} +{n} more", "{subjects} 等 {n} 项")                           \
	X(SUBJECTS_NEXT, "{subjects}, {subject}", "{subjects}、{subject}")                         \
	X(WORD_COMPONENT, "Component", "组件")                                                     \
	X(WORD_CHECK, "Check", "检查项")                                                           \
	X(WORD_ENVIRONMENT, "Environment", "环境")                                                 \
	X(WORD_SEVERITY, "Severity", "级别")                                                       \
	X(WORD_REASON, "Reason", "原因")                                                           \
	X(WORD_SINCE, "Since", "开始时间")                                                         \
	X(WORD_ENDED, "Ended", "恢复时间")                                                         \
	X(WORD_INCIDENT, "Incident", "故障编号")                                                   \
	X(WORD_HOST, "Host", "主机")                                                               \
	X(WORD_ACKNOWLEDGE, "Acknowledge", "确认告警")                                             \
	X(WORD_MORE, "+{n} more", "另有 {n} 条")                                                   \
	X(RAISED_CLEARED, "was raised and cleared: {text}", "曾告警,现已恢复:{text}")              \
	X(SPAN_SECONDS, "{n} s", "{n} 秒")                                                         \
	X(SPAN_MINUTES, "{n} min", "{n} 分钟")                                                     \
	X(SPAN_HOURS, "{n} h", "{n} 小时")                                                         \
	X(SPAN_DAYS, "{n} d", "{n} 天")                                                            \
	X(SPAN_TWO, "{span} {rest}", "{span} {rest}")
enum text {
#define X(code, en, zh) TEXT_##code,
	TEXTS(X)
#undef X
		TEXT_MAX
};

struct text_word { /* {name} in a sentence becomes value */
	const char *name, *value;
};
enum { TEXT_MAX_WORDS = 8 };

/* A sentence with its words filled in, one pass: braces in a value stay as they are, a name without
 * a word becomes nothing. `words` end with a NULL name; NULL: none. -ENOBUFS, -ENOMEM. */
int text_append(
	struct str *out, enum text id, enum conf_language language, const struct text_word *words);
/* The same for any sentence; what is no {name} stays. */
int text_expand(struct str *out, const char *sentence, const struct text_word *words);

const char *text_sentence(enum text id, enum conf_language language);
const char *text_severity(enum conf_severity severity, enum conf_language language);
const char *text_kind(enum notice_kind kind, enum conf_language language);
/* Of a reason by its name (tend/reason.h); NULL: none by this name. */
const char *text_reason(const char *name, enum conf_language language);
const char *text_environment(const char *name, enum conf_language language);
/* "12 min", "2 h 5 min": at most two units. */
enum { TEXT_SPAN_BYTES = 64 };
const char *text_span(usec_t span, enum conf_language language, char buf[TEXT_SPAN_BYTES]);

#endif

/* SPDX-License-Identifier: MIT */
#include "rules.h"

const char *const scheduler_rule_names[] = {
	"tryton", "dolibarr", "espocrm", "suitecrm", "vtiger", "odoo", "civicrm", NULL};

/* Nothing, as a number: else the branches of a union do not fit together. */
#define NONE "cast(null as decimal)"

const struct scheduler_rule scheduler_rules[] = {
	/* trytond runs in UTC. A next_call of NULL is due since ever. */
	{
		.name = "tryton",
		.dialect = SQLKIT_POSTGRES,
		.sql = "select method || ' #' || id as name, {since_utc next_call} as overdue "
		       "from ir_cron where active",
		.max_overdue = 600,
	},
	/* Only these are due to Dolibarr itself; one killed in its work stays at processing = 1. */
	{
		.name = "dolibarr",
		.dialect = SQLKIT_MYSQL,
		.prefix = "llx_",
		.sql = "select label as name, {since datenextrun} as overdue, case when "
		       "processing = 1 then {since datelastrun} end as running from "
		       "{prefix}cronjob where status = 1 and (datestart is null or datestart <= "
		       "{now}) and (dateend is null or dateend >= {now}) and (maxrun is null or "
		       "maxrun = 0 or nbrun < maxrun)",
		.max_overdue = 900,
		.max_running = 3600,
	},
	/* Any job that ran shows that cron runs: many run once a day only. */
	{
		.name = "espocrm",
		.dialect = SQLKIT_MYSQL,
		.sql = "select 'cron' as name, min({since_utc last_run}) as age, " NONE
		       " as overdue, " NONE
		       " as running from {prefix}scheduled_job where status = 'Active' and deleted "
		       "= false union all select 'pending jobs', 0, max({since_utc "
		       "execute_time}), " NONE
		       " from {prefix}job where status = 'Pending' and deleted = false having "
		       "count(*) > 0 union all select name, 0, " NONE
		       ", {since_utc started_at} from {prefix}job where status = 'Running' and "
		       "deleted = false and started_at is not null",
		.max_age = 900,
		.max_overdue = 900,
		.max_running = 7200,
	},
	/* Up to 180 s is well to SuiteCRM. */
	{
		.name = "suitecrm",
		.dialect = SQLKIT_MYSQL,
		.sql = "select 'schedulers' as name, min({since_utc last_run}) as age, " NONE
		       " as running from {prefix}schedulers where status = 'Active' and deleted = "
		       "0 union all select name, 0, {since_utc date_modified} from "
		       "{prefix}job_queue where status = 'running' and deleted = 0",
		.max_age = 600,
		.max_running = 7200,
	},
	/* Times are seconds since 1970; status 2: it runs. A last end of 0 is none. */
	{
		.name = "vtiger",
		.dialect = SQLKIT_MYSQL,
		.prefix = "vtiger_",
		.sql = "select name, case when lastend > 0 then {unix} - lastend end as age, "
		       "frequency * 2 + 900 as max_age, case when status = 2 then {unix} - "
		       "laststart end as running from {prefix}cron_task where status in (1, 2)",
		.max_running = 3600,
	},
	{
		.name = "odoo",
		.dialect = SQLKIT_POSTGRES,
		.sql = "select coalesce(cron_name, '') || ' #' || id as name, {since_utc nextcall} "
		       "as overdue from ir_cron where active",
		.max_overdue = 900,
	},
	/* A last run that has no end crashed, and keeps the others from running. */
	{
		.name = "civicrm",
		.dialect = SQLKIT_MYSQL,
		.prefix = "civicrm_",
		.sql = "select name, {since coalesce(last_run_end, last_run)} as age, case "
		       "run_frequency when 'Always' then 3600 when 'Hourly' then 7200 when 'Daily' "
		       "then 129600 when 'Weekly' then 777600 when 'Monthly' then 2851200 when "
		       "'Quarter' then 8553600 else 34560000 end as max_age, case when last_run is "
		       "not null and (last_run_end is null or last_run_end < last_run) then {since "
		       "last_run} end as running from {prefix}job where is_active = 1",
		.max_running = 3600,
	},
};

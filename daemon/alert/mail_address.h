/* SPDX-License-Identifier: MIT */
/*
 * alert/mail_address.h: addresses of mails as the configuration writes them: `a@crm.example` or
 * `Name <a@crm.example>`. Only what every mail server takes: ASCII, no comments, no quotes. Pure;
 * bounded; below conf/: knows nothing of it.
 */
#ifndef ALERT_MAIL_ADDRESS_H
#define ALERT_MAIL_ADDRESS_H

enum { MAIL_ADDRESS_BYTES = 255, MAIL_NAME_BYTES = 128 };

struct mail_address {
	char name[MAIL_NAME_BYTES]; /* UTF-8; "" */
	char address[MAIL_ADDRESS_BYTES];
};
/* -EINVAL: it is none, or too long. */
int mail_address_parse(const char *text, struct mail_address *ret_address);

#endif

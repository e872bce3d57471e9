/* SPDX-License-Identifier: MIT */
#include <tend/error.h>
#include <stdarg.h>
#include <stdio.h>

int tend_error_set(struct tend_error *err, int code, const char *format, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->code = code;
	va_start(ap, format);
	(void)vsnprintf(err->text, sizeof(err->text), format, ap);
	va_end(ap);
	return code;
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 * Loaded before the C library: standard error is written line by line, also when the program asks for no buffer. From glibc 2.37 on
 * fprintf() without a buffer writes pieces of 128 bytes, and lines of other processes come between them.
 */
#include <stdio.h>

static __attribute__((constructor)) void by_lines(void)
{
	setvbuf(stderr, NULL, _IOLBF, 0);
}

void setbuf(FILE *stream, char *buffer)
{
	int without = stream == stderr ? _IOLBF : _IONBF;

	setvbuf(stream, buffer, buffer ? _IOFBF : without, buffer ? BUFSIZ : 0);
}

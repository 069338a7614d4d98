/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The document of a list: multipart/related with RLMI first (RFC 4662, 5).
 */
#define _GNU_SOURCE /* memmem */
#include "rls.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static char *room_for(text_t *text, int len)
{
	char *grown;
	int room;

	if(text->s == NULL)
		return NULL;
	if(text->room - text->len <= len) {
		room = 2 * text->room + len + 1;
		grown = realloc(text->s, room);
		if(grown == NULL)
			free(text->s);
		text->s = grown;
		text->room = room;
	}
	return text->s == NULL ? NULL : text->s + text->len;
}

static void add(text_t *text, const char *more, int len)
{
	char *to = room_for(text, len);

	if(to == NULL)
		return;
	memcpy(to, more, len);
	text->len += len;
}

static void __attribute__((format(printf, 2, 3))) print(text_t *text, const char *format, ...)
{
	char line[1024];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* what is printed has bounds: see rls.h */
	add(text, line, len < (int)sizeof(line) ? len : (int)sizeof(line) - 1);
}

/** A boundary that is in no body. */
static void find_boundary(const rls_list_t *list, char *boundary, size_t size)
{
	const str *body;
	unsigned int attempt, i;

	for(attempt = 0;; attempt++) {
		snprintf(boundary, size, "=_%x", attempt);
		for(i = 0; i < list->resources_no; i++) {
			body = &list->resources[i].body;
			if(body->len > 0 && memmem(body->s, body->len, boundary, strlen(boundary)) != NULL)
				break;
		}
		if(i == list->resources_no)
			return;
	}
}

static void print_resource(text_t *body, const resource_t *resource, unsigned int i)
{
	static const char *states[] = {"", "active", "pending", "terminated", "terminated"};

	print(body, "<resource uri=\"%s\">", resource->uri);
	if(resource->status != 0) {
		print(body, "<instance id=\"%u\" state=\"%s\"", i, states[resource->status]);
		if(resource->status >= QSA_TERMINATED)
			print(body, " reason=\"%s\"", resource->reason);
		if(resource->body.len > 0)
			print(body, " cid=\"%u@rls\"", i);
		print(body, "/>");
	}
	print(body, "</resource>");
}

int assemble(rls_list_t *list, text_t *content_type, text_t *body)
{
	const resource_t *resource;
	char boundary[16];
	unsigned int i;

	content_type->room = 256;
	content_type->len = 0;
	content_type->s = malloc(content_type->room);
	body->room = 4096;
	body->len = 0;
	body->s = malloc(body->room);
	find_boundary(list, boundary, sizeof(boundary));
	print(content_type, "multipart/related;type=\"application/rlmi+xml\";start=\"<list@rls>\";boundary=\"%s\"", boundary);
	print(body, "--%s\r\nContent-ID: <list@rls>\r\nContent-Type: application/rlmi+xml\r\n\r\n", boundary);
	print(body, "<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"%s\" version=\"%u\" fullState=\"true\">", list->uri,
			list->version);
	for(i = 0; i < list->resources_no; i++)
		print_resource(body, &list->resources[i], i);
	print(body, "</list>\r\n");
	for(i = 0; i < list->resources_no; i++) {
		resource = &list->resources[i];
		if(resource->body.len == 0)
			continue;
		print(body, "--%s\r\nContent-ID: <%u@rls>\r\nContent-Type: %s\r\n\r\n", boundary, i, resource->type);
		add(body, resource->body.s, resource->body.len);
		add(body, "\r\n", 2);
	}
	print(body, "--%s--\r\n", boundary);
	if(content_type->s == NULL || body->s == NULL) {
		free(content_type->s);
		free(body->s);
		return -1;
	}
	list->version++;
	return 0;
}

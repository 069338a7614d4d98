/* SPDX-License-Identifier: GPL-2.0-or-later
 * Databases.
 */
#include "shim.h"

#include <stdio.h>

/* As db_bind_mod() of libsrdb1 does it, which we would have to be linked with. */
int pb2b_db_bind(const char *module, db_func_t *out)
{
	db_bind_api_f bind = (db_bind_api_f)find_mod_export(module, "db_bind_api", 0, 0);

	memset(out, 0, sizeof(*out));
	if(bind == NULL || bind(out) < 0)
		return -1;
	if(out->init == NULL || out->close == NULL || out->use_table == NULL || out->query == NULL || out->free_result == NULL)
		return -2;
	return 0;
}

void pb2b_db_hush(int on)
{
	if(!on)
		reset_local_debug_level();
	else if(is_printable(L_DBG))
		set_local_debug_level(L_INFO);
}

int pb2b_db_rows(const db1_res_t *result)
{
	return RES_ROW_N(result);
}

int pb2b_db_text(const db1_res_t *result, int row, int column, char *digits, str *out)
{
	const db_val_t *value;

	if(row < 0 || row >= RES_ROW_N(result) || column < 0 || column >= ROW_N(RES_ROWS(result) + row))
		return 0;
	value = ROW_VALUES(RES_ROWS(result) + row) + column;
	if(VAL_NULL(value))
		return 0;
	out->s = digits;
	switch(VAL_TYPE(value)) {
		case DB1_STRING:
			out->s = (char *)VAL_STRING(value);
			out->len = out->s != NULL ? (int)strlen(out->s) : 0;
			return out->s != NULL;
		case DB1_STR:
			*out = VAL_STR(value);
			return out->s != NULL;
		case DB1_BLOB:
			*out = VAL_BLOB(value);
			return out->s != NULL;
		case DB1_INT:
			out->len = snprintf(digits, 32, "%d", VAL_INT(value));
			return 1;
		case DB1_UINT:
			out->len = snprintf(digits, 32, "%u", VAL_UINT(value));
			return 1;
		case DB1_BIGINT:
			out->len = snprintf(digits, 32, "%lld", VAL_BIGINT(value));
			return 1;
		case DB1_UBIGINT:
			out->len = snprintf(digits, 32, "%llu", VAL_UBIGINT(value));
			return 1;
		case DB1_DOUBLE:
			out->len = snprintf(digits, 32, "%.15g", VAL_DOUBLE(value));
			return 1;
		case DB1_BITMAP:
			out->len = snprintf(digits, 32, "%u", VAL_BITMAP(value));
			return 1;
		case DB1_DATETIME:
			out->len = snprintf(digits, 32, "%lld", (long long)VAL_TIME(value));
			return 1;
		default:
			return 0;
	}
}

/* more columns than any table of ours has */
#define PB2B_MOST_COLUMNS 64

static int named(str *columns, int count, db_key_t *keys)
{
	int i;

	if(count < 1 || count > PB2B_MOST_COLUMNS)
		return -1;
	for(i = 0; i < count; i++)
		keys[i] = columns + i;
	return 0;
}

static int filled(str *columns, str *texts, int count, db_key_t *keys, db_val_t *values)
{
	int i;

	if(named(columns, count, keys) < 0)
		return -1;
	memset(values, 0, sizeof(*values) * count);
	for(i = 0; i < count; i++) {
		VAL_TYPE(values + i) = DB1_STR;
		VAL_STR(values + i) = texts[i];
	}
	return 0;
}

int pb2b_db_query(const db_func_t *api, db1_con_t *connection, const str *table, str *columns, int count, db1_res_t **out)
{
	db_key_t keys[PB2B_MOST_COLUMNS];

	if(named(columns, count, keys) < 0 || api->use_table(connection, table) < 0)
		return -1;
	return api->query(connection, NULL, NULL, NULL, keys, 0, count, NULL, out);
}

int pb2b_db_insert(const db_func_t *api, db1_con_t *connection, const str *table, str *columns, str *values, int count)
{
	db_key_t keys[PB2B_MOST_COLUMNS];
	db_val_t vals[PB2B_MOST_COLUMNS];

	if(filled(columns, values, count, keys, vals) < 0 || api->insert == NULL || api->use_table(connection, table) < 0)
		return -1;
	return api->insert(connection, keys, vals, count);
}

int pb2b_db_delete(const db_func_t *api, db1_con_t *connection, const str *table, str *columns, str *values, int count)
{
	db_key_t keys[PB2B_MOST_COLUMNS];
	db_val_t vals[PB2B_MOST_COLUMNS];

	if(filled(columns, values, count, keys, vals) < 0 || api->delete == NULL || api->use_table(connection, table) < 0)
		return -1;
	return api->delete(connection, keys, NULL, vals, count);
}

/* Bodies that set a split; see split_body.h. */
#include "traffic/split_body.h"

#include <string.h>

#include "traffic/fields_int.h"

enum { SHARE, SALT, ENABLED, REVISION, IF_REVISION, FIELDS };

static int read_salt(const struct field *field, struct split_request *request, struct err *err)
{
    char text[CUT_SALT_MAX + 1];
    struct str salt;

    int rc = field_text(field, text, sizeof(text), &salt, err);
    if (rc != 0) {
        return rc;
    }
    if (!cut_salt_valid(salt)) {
        return err_set(err, ERR_INVALID,
                       "salt is \"" STR_FMT "\"; 1 to %d characters of A-Z a-z 0-9 . _ - are right",
                       STR_ARG(salt), CUT_SALT_MAX);
    }
    memcpy(request->salt, salt.ptr, salt.len);
    request->salt_len = (uint8_t) salt.len;
    return 0;
}

static int read_if_revision(const struct field *field, struct split_request *request,
                            struct err *err)
{
    request->if_any = field->token == JSON_STRING && str_eq_cstr(field->value, "any");
    if (request->if_any) {
        return 0;
    }
    if (field->token == JSON_STRING) {
        return err_set(err, ERR_INVALID,
                       "if_revision is a text; the number of the present revision is right, or "
                       "\"any\" for a change that moves nobody to the canary");
    }
    return field_u64(field, 0, SPLIT_REVISION_MAX, &request->if_revision, err);
}

static int read_one(const struct field *field, int which, struct split_request *request,
                    struct err *err)
{
    uint64_t share_ppm = 0;
    int rc = 0;

    switch (which) {
    case SHARE:
        request->has_share = field->token != JSON_END;
        if (request->has_share) {
            rc = field_u64(field, 0, CUT_BUCKETS, &share_ppm, err);
            request->share_ppm = (uint32_t) share_ppm;
        }
        return rc;
    case SALT:
        request->has_salt = field->token != JSON_END;
        return request->has_salt ? read_salt(field, request, err) : 0;
    case ENABLED:
        request->has_enabled = field->token != JSON_END;
        return request->has_enabled ? field_bool(field, &request->enabled, err) : 0;
    case REVISION:
        return field_u64(field, 1, SPLIT_REVISION_MAX, &request->revision, err);
    default:
        return read_if_revision(field, request, err);
    }
}

int split_body_read(struct str text, struct split_request *ret_request, struct str *ret_field,
                    struct err *err)
{
    struct split_request request = {.revision = 0};
    struct field field[FIELDS] = {
        [SHARE] = {.name = "share_ppm"},         [SALT] = {.name = "salt"},
        [ENABLED] = {.name = "enabled"},         [REVISION] = {.name = "revision"},
        [IF_REVISION] = {.name = "if_revision"},
    };

    int rc = fields_read(text, field, FIELDS, ret_field, err);
    if (rc != 0) {
        return rc;
    }
    for (int i = 0; i < FIELDS; i++) {
        rc = read_one(&field[i], i, &request, err);
        if (rc != 0) {
            *ret_field = str_of(field[i].name);
            return rc;
        }
    }
    if (!request.has_share && !request.has_salt && !request.has_enabled) {
        *ret_field = STR("share_ppm");
        return err_set(err, ERR_INVALID,
                       "nothing to set; at least one of share_ppm, salt and enabled is right");
    }
    *ret_request = request;
    return 0;
}

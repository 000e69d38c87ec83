
/* The API's words about health and the one who checks it, in JSON. */

#include "ngx_http_pourover_check.h"

#include "base/clock.h"
#include "base/json.h"
#include "check/code.h"


/* the wall clock's time of a moment of CLOCK_MONOTONIC; 0 stays 0 */

static uint64_t
ngx_http_pourover_wall_ms(uint64_t mono_ms)
{
    uint64_t  now;

    now = clock_mono_ms();

    return mono_ms != 0 && mono_ms <= now ? clock_wall_ms() - (now - mono_ms)
                                          : 0;
}


/*
 * The text is written under the mutex, and read here without: it may be a
 * mixture of two, but never longer than its place.
 */

void
ngx_http_pourover_json_health(struct json_writer *w, uint32_t meta,
    const struct peer_seen *seen)
{
    size_t  len;

    len = ngx_min(seen->text_len, ZONE_TEXT_MAX);

    json_kv_cstr(w, "health", health_name(META_HEALTH(meta)));

    json_key(w, "check");
    json_obj_begin(w);
    json_kv_cstr(w, "reason",
                 check_code_name((enum check_code) atomic_load(&seen->code)));
    json_kv_str(w, "text", (struct str) { seen->text, len });
    json_kv_u64(w, "at_ms",
                ngx_http_pourover_wall_ms(atomic_load(&seen->noted_at_ms)));
    json_kv_u64(w, "took_us", atomic_load(&seen->took_us));
    json_kv_u64(w, "streak", seen->state.streak);
    json_kv_u64(w, "changes", atomic_load(&seen->changes));
    json_obj_end(w);
}


void
ngx_http_pourover_json_checker(struct json_writer *w, const struct zone *zone)
{
    json_key(w, "checker");
    json_obj_begin(w);
    json_kv_i64(w, "pid", atomic_load(&zone->lease_pid));
    json_kv_u64(w, "lease", atomic_load(&zone->lease_number));
    json_kv_u64(w, "checks", atomic_load(&zone->checks));
    json_kv_u64(w, "late", atomic_load(&zone->checks_late));
    json_obj_end(w);
}

/* Names of what stands in the zone, and the table of HTTP statuses; see zone.h. */
#include "traffic/zone.h"

const char *zone_track_name(enum track track)
{
    return track == TRACK_CANARY ? "canary" : "stable";
}

const char *zone_reason_name(enum reason reason)
{
    static const char *const name[REASON_COUNT] = {
        [REASON_SPLIT] = "split",       [REASON_FORCED] = "forced",
        [REASON_FALLBACK] = "fallback", [REASON_NO_ID] = "no-id",
        [REASON_DISABLED] = "disabled", [REASON_VERSION_COOKIE] = "version-cookie",
    };
    return (unsigned) reason < REASON_COUNT ? name[reason] : "unknown";
}

const char *zone_peer_state_name(enum peer_state state)
{
    static const char *const name[] = {
        [PEER_FREE] = "free", [PEER_READY] = "ready",     [PEER_DRAINING] = "draining",
        [PEER_DOWN] = "down", [PEER_REMOVED] = "removed", [PEER_NAME] = "name",
    };
    return (unsigned) state <= PEER_NAME ? name[state] : "unknown";
}

const char *zone_peer_origin_name(enum peer_origin origin)
{
    static const char *const name[] = {
        [ORIGIN_CONFIG] = "config", [ORIGIN_API] = "api", [ORIGIN_NAME] = "name"};
    return (unsigned) origin <= ORIGIN_NAME ? name[origin] : "unknown";
}

const char *zone_restored_name(enum restored restored)
{
    static const char *const name[] = {
        [RESTORED_FRESH] = "fresh",     [RESTORED_FILE] = "file",     [RESTORED_KEPT] = "kept",
        [RESTORED_REFUSED] = "refused", [RESTORED_PARTLY] = "partly",
    };
    return (unsigned) restored <= RESTORED_PARTLY ? name[restored] : "unknown";
}

/* The registered codes (IANA, 2024) and NGINX's own 444 and 494 to 499, in order. */
/* clang-format off */
#define STATUSES(X)                                                                         \
    X(100) X(101) X(102) X(103)                                                             \
    X(200) X(201) X(202) X(203) X(204) X(205) X(206) X(207) X(208) X(226)                   \
    X(300) X(301) X(302) X(303) X(304) X(305) X(307) X(308)                                 \
    X(400) X(401) X(402) X(403) X(404) X(405) X(406) X(407) X(408) X(409) X(410) X(411)     \
    X(412) X(413) X(414) X(415) X(416) X(417) X(421) X(422) X(423) X(424) X(425) X(426)     \
    X(428) X(429) X(431) X(444) X(451) X(494) X(495) X(496) X(497) X(499)                   \
    X(500) X(501) X(502) X(503) X(504) X(505) X(506) X(507) X(508) X(510) X(511)
/* clang-format on */

#define NUMBER(code) code,
#define TEXT(code)   #code,
static const uint16_t STATUS[] = {STATUSES(NUMBER)};
/* then one entry for what is no status, and one for the rest of each class */
static const char *const NAME[] = {
    STATUSES(TEXT) "other", "1xx-other", "2xx-other", "3xx-other", "4xx-other", "5xx-other"};
#define STATUS_KNOWN (sizeof(STATUS) / sizeof(STATUS[0]))
#define STATUS_NAMES (sizeof(NAME) / sizeof(NAME[0]))

_Static_assert(STATUS_NAMES <= ZONE_STATUSES, "ZONE_STATUSES is too small");

unsigned zone_status_index(unsigned status)
{
    size_t low = 0, high = STATUS_KNOWN;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (STATUS[middle] == status) {
            return (unsigned) middle;
        }
        if (STATUS[middle] < status) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (unsigned) STATUS_KNOWN + (status >= 100 && status < 600 ? status / 100 : 0);
}

const char *zone_status_name(unsigned index)
{
    return index < STATUS_NAMES ? NAME[index] : "unknown";
}

unsigned zone_status_names(void)
{
    return (unsigned) STATUS_NAMES;
}

/* Whatever answers at a router's address: read by every reader there is. */
#include "gateway/events.h"
#include "gateway/probe.h"
#include "gateway/router.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *) data, size};
    struct err err = {0};
    struct router_service service = {0};
    struct router_status status;
    struct router_stats stats = {0};
    struct router_detail detail = {0};
    struct router_events events = {0};
    struct router_token token;
    struct probe_verdict verdict;
    if (router_parse_service(text, &service, &err) == 0) {
        router_service_done(&service);
    }
    if (router_parse_stats(text, &stats, &err) == 0) {
        router_stats_done(&stats);
    }
    if (router_parse_detail(text, &detail, &err) == 0) {
        router_detail_done(&detail);
    }
    if (router_parse_events(text, &events, &err) == 0) {
        router_events_done(&events);
    }
    int failed = router_parse_status(text, &status, &err) != 0;
    failed += router_parse_token(text, &token, &err) != 0;
    failed += probe_parse_verdict(text, &verdict, &err) != 0;
    failed += router_parse_flag_left(text);
    (void) failed;
    router_parse_error(409, text, &err);
    return 0;
}

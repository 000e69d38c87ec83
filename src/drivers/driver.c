/* Which driver is whose; the table of the process driver. */
#include "drivers/driver.h"

#include "drivers/lease_int.h"
#include "drivers/process_int.h"

#include <stddef.h>

const struct driver driver_process = {
    .name = "process",
    .observe = process_observe,
    .preflight = process_preflight,
    .room = process_room,
    .pull = process_pull,
    .health_fail = process_health_fail,
    .health_pass = process_health_pass,
    .stop = process_stop,
    .proxy = process_proxy,
    .connect = process_connect,
    .start = process_start,
    .migrate = process_migrate,
    .logs = process_logs,
    .lease_take = lease_take,
    .lease_beat = lease_beat,
    .lease_drop = lease_drop,
    .lease_read = lease_read,
    .record_append = process_record_append,
    .record_read = process_record_read,
    .request_put = process_request_put,
    .request_take = process_request_take,
};

const struct driver *driver_of(enum release_driver kind)
{
    return kind == RELEASE_PROCESS ? &driver_process : NULL;
}

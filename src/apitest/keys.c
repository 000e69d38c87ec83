/* Every key of a file of API tests: what the loader accepts, what the reference says. */
#include "apitest/suite.h"

#define END                                \
    {                                      \
        NULL, CONF_WANT_ANY, 0, NULL, NULL \
    }

const struct conf_key apitest_eventually_keys[] = {
    {"within", CONF_WANT_DURATION, CONF_REQUIRED, "how long to try again until the case passes",
     NULL},
    {"every", CONF_WANT_DURATION, 0, "time between two tries; 200ms when it is not written", NULL},
    END,
};

const struct conf_key apitest_tls_keys[] = {
    {"version", CONF_WANT_ANY, 0, "what was agreed: TLSv1.3", NULL},
    {"minVersion", CONF_WANT_TEXT, 0, "at least this one: \"1.2\"", NULL},
    {"cipher", CONF_WANT_ANY, 0, "name of the cipher suite", NULL},
    {"subject", CONF_WANT_ANY, 0, "subject of the server's certificate", NULL},
    {"expiresIn", CONF_WANT_ANY, 0, "time until the server's certificate ends: {$gt: 168h}", NULL},
    END,
};

const struct conf_key apitest_wire_keys[] = {
    {"trailersOnly", CONF_WANT_ANY, 0, "whether status and metadata came as one block of headers",
     NULL},
    {"httpStatus", CONF_WANT_ANY, 0, "the HTTP status below gRPC: 200", NULL},
    {"contentType", CONF_WANT_ANY, 0, "content-type of the answer", NULL},
    {"encoding", CONF_WANT_ANY, 0, "grpc-encoding of the answer; null: none", NULL},
    {"compressed", CONF_WANT_ANY, 0,
     "whether every message came with the compressed flag; a list: of each message", NULL},
    {"rst", CONF_WANT_ANY, 0, "name of the error of RST_STREAM; null: none came", NULL},
    {"goaway", CONF_WANT_ANY, 0, "whether the server said GOAWAY on the connection", NULL},
    {"protocol", CONF_WANT_ANY, 0, "h2 or http/1.1", NULL},
    {"alpn", CONF_WANT_ANY, 0, "what the server chose by ALPN; null: nothing", NULL},
    {"connects", CONF_WANT_ANY, 0, "connections opened to the target so far; 1: the first was kept",
     NULL},
    {"peer", CONF_WANT_ANY, 0, "address of the target", NULL},
    {"tls", CONF_WANT_MAP, 0, "facts of TLS", apitest_tls_keys},
    END,
};

const struct conf_key apitest_timing_keys[] = {
    {"total", CONF_WANT_ANY, 0, "from the start to the end of the call: {$lt: 300ms}", NULL},
    {"headers", CONF_WANT_ANY, 0, "from the start to the answer's headers", NULL},
    {"firstMessage", CONF_WANT_ANY, 0, "from the start to the first message", NULL},
    {"gap", CONF_WANT_ANY, 0,
     "between two messages; has to hold for each gap, and there has to be one", NULL},
    END,
};

const struct conf_key apitest_error_keys[] = {
    {"code", CONF_WANT_ANY, 0, "name or number of the status, or an operator on the name", NULL},
    {"message", CONF_WANT_ANY, 0, "the status message, or an operator on it", NULL},
    {"details", CONF_WANT_ANY, 0,
     "the list of details, each with its @type, or an operator on the list", NULL},
    END,
};

static const struct conf_key close_choices[] = {
    {"send", CONF_WANT_ANY, 0, "nothing more is sent (half-close)", NULL},
    {"cancel", CONF_WANT_ANY, 0, "the call is cancelled", NULL},
    END,
};

static const struct conf_key match_choices[] = {
    {"ordered", CONF_WANT_ANY, 0, "in the order of the list, which is the default", NULL},
    {"unordered", CONF_WANT_ANY, 0, "in any order", NULL},
    END,
};

static const struct conf_key scheme_choices[] = {
    {"http", CONF_WANT_ANY, 0, "plaintext", NULL},
    {"https", CONF_WANT_ANY, 0, "TLS", NULL},
    END,
};

const struct conf_key apitest_step_keys[] = {
    {"send", CONF_WANT_ANY, 0, "a message to send", NULL},
    {"expect", CONF_WANT_ANY, 0, "the next message must be like this", NULL},
    {"headers", CONF_WANT_MAP, 0, "wait for the answer's headers; they must be like this", NULL},
    {"quiet", CONF_WANT_DURATION, 0, "no message may come for so long", NULL},
    {"close", CONF_WANT_CHOICE, 0, "this side of the call ends", close_choices},
    {"cancel", CONF_WANT_ANY, 0, "true: the call is cancelled; the same as close: cancel", NULL},
    {"end", CONF_WANT_ANY, 0, "no further message, and this status: {code: OK}",
     apitest_error_keys},
    {"within", CONF_WANT_DURATION, 0, "of expect and end: how long to wait", NULL},
    {"save", CONF_WANT_MAP, 0, "of expect: variables from the message", NULL},
    {"compress", CONF_WANT_BOOL, 0, "of send: with gzip, whatever compress of the case says", NULL},
    END,
};

const struct conf_key apitest_detail_keys[] = {
    {"requests", CONF_WANT_LIST, 0,
     "messages to send; nothing: one empty message, for client streams none", NULL},
    {"responses", CONF_WANT_LIST, 0, "messages that must come, all of them and in this order",
     NULL},
    {"match", CONF_WANT_CHOICE, 0, "how responses are compared", match_choices},
    {"error", CONF_WANT_ANY, 0, "the status that must come when it is not OK: NOT_FOUND, or a map",
     apitest_error_keys},
    {"metadata", CONF_WANT_MAP, 0, "headers to send; of names in -bin the value is base64", NULL},
    {"headers", CONF_WANT_MAP, 0, "of the answer's headers these must be like this", NULL},
    {"trailers", CONF_WANT_MAP, 0, "of the answer's trailers these must be like this", NULL},
    {"headersOrTrailers", CONF_WANT_MAP, 0, "the same, wherever the server put them", NULL},
    {"stream", CONF_WANT_LIST, 0,
     "a script of sends and expectations, instead of requests and responses", apitest_step_keys},
    {"compress", CONF_WANT_BOOL, 0, "requests are sent with gzip", NULL},
    {"wire", CONF_WANT_MAP, 0, "facts of the wire", apitest_wire_keys},
    {"timing", CONF_WANT_MAP, 0, "times", apitest_timing_keys},
    END,
};

const struct conf_key apitest_request_keys[] = {
    {"method", CONF_WANT_TEXT, 0, "GET when it is not written", NULL},
    {"path", CONF_WANT_TEXT, CONF_REQUIRED, "the path, which begins with /", NULL},
    {"query", CONF_WANT_MAP, 0, "parameters, encoded and appended to path", NULL},
    {"headers", CONF_WANT_MAP, 0, "headers to send", NULL},
    {"body", CONF_WANT_TEXT, 0, "text to send", NULL},
    {"json", CONF_WANT_ANY, 0, "free YAML to send as JSON, with its content-type", NULL},
    {"form", CONF_WANT_MAP, 0, "fields to send as application/x-www-form-urlencoded", NULL},
    END,
};

const struct conf_key apitest_expect_keys[] = {
    {"status", CONF_WANT_ANY, 0, "the status: 200", NULL},
    {"headers", CONF_WANT_MAP, 0, "of the answer's headers these must be like this", NULL},
    {"trailers", CONF_WANT_MAP, 0, "of the answer's trailers these must be like this", NULL},
    {"json", CONF_WANT_ANY, 0, "the body as JSON must be like this", NULL},
    {"body", CONF_WANT_ANY, 0, "the body as text must be like this", NULL},
    {"wire", CONF_WANT_MAP, 0, "facts of the wire", apitest_wire_keys},
    {"timing", CONF_WANT_MAP, 0, "times: total, headers", apitest_timing_keys},
    END,
};

const struct conf_key apitest_case_keys[] = {
    {"name", CONF_WANT_TEXT, CONF_REQUIRED, "what reports call it", NULL},
    {"methodName", CONF_WANT_TEXT, 0,
     "the method of the service; its kind comes from the descriptor", NULL},
    {"detail", CONF_WANT_MAP, 0, "what is sent and what must come", apitest_detail_keys},
    {"http", CONF_WANT_MAP, 0, "the HTTP request", apitest_request_keys},
    {"expect", CONF_WANT_MAP, 0, "what must come of an HTTP request", apitest_expect_keys},
    {"tags", CONF_WANT_TEXTS, 0, "words to choose cases by, with those of the test", NULL},
    {"vars", CONF_WANT_MAP, 0, "variables of this case", NULL},
    {"if", CONF_WANT_TEXT, 0,
     "run only when this text, with its variables, is not empty, false or 0", NULL},
    {"skip", CONF_WANT_TEXT, CONF_NOT_EMPTY, "the reason why it is not run", NULL},
    {"eventually", CONF_WANT_MAP, 0, "try again until it passes", apitest_eventually_keys},
    {"repeat", CONF_WANT_INTEGER, 0, "so many times in a row, each has to pass", NULL},
    {"deadline", CONF_WANT_DURATION, 0, "of one call; 10s when it is not written", NULL},
    {"save", CONF_WANT_MAP, 0, "variables from what came: {orderId: responses[0].order.id}", NULL},
    {"allowSideEffects", CONF_WANT_BOOL, 0,
     "may be called with --production though its method has side effects", NULL},
    {"ignore", CONF_WANT_TEXTS, 0, "paths that may differ from the baseline", NULL},
    END,
};

const struct conf_key apitest_defaults_keys[] = {
    {"deadline", CONF_WANT_DURATION, 0, "of one call", NULL},
    {"metadata", CONF_WANT_MAP, 0, "headers that every case sends", NULL},
    {"eventually", CONF_WANT_MAP, 0, "of cases without their own", apitest_eventually_keys},
    {"allowSideEffects", CONF_WANT_BOOL, 0, "of cases without their own", NULL},
    {"ignore", CONF_WANT_TEXTS, 0, "paths that may differ from the baseline", NULL},
    END,
};

const struct conf_key apitest_http_keys[] = {
    {"scheme", CONF_WANT_CHOICE, 0, "the target's when it is not written", scheme_choices},
    END,
};

const struct conf_key apitest_test_keys[] = {
    {"testName", CONF_WANT_TEXT, CONF_REQUIRED, "what reports call it", NULL},
    {"proto", CONF_WANT_TEXTS, 0, ".proto files, beside this file", NULL},
    {"protoSet", CONF_WANT_TEXTS, 0, "files with a serialized FileDescriptorSet", NULL},
    {"reflection", CONF_WANT_BOOL, 0, "true: the target tells its descriptors", NULL},
    {"importPaths", CONF_WANT_TEXTS, 0, "folders where imports are looked for", NULL},
    {"serviceName", CONF_WANT_TEXT, 0,
     "the service; without its package when it is the only one of that name", NULL},
    {"http", CONF_WANT_MAP, 0, "this test's cases are HTTP requests", apitest_http_keys},
    {"target", CONF_WANT_TEXT, 0,
     "NAME of --target NAME=...; the one without a name when it is not written", NULL},
    {"tags", CONF_WANT_TEXTS, 0, "words to choose tests by", NULL},
    {"vars", CONF_WANT_MAP, 0, "variables of this test", NULL},
    {"defaults", CONF_WANT_MAP, 0, "what its cases have unless they say otherwise",
     apitest_defaults_keys},
    {"setup", CONF_WANT_LIST, 0,
     "cases that run before; when one fails the test's cases are not run", apitest_case_keys},
    {"cases", CONF_WANT_LIST, CONF_REQUIRED | CONF_NOT_EMPTY, "the cases, run one after another",
     apitest_case_keys},
    {"teardown", CONF_WANT_LIST, 0,
     "cases that run at the end, also after a failure or an interrupt", apitest_case_keys},
    {"parallel", CONF_WANT_BOOL, 0, "true: cases do not depend on each other and may run at once",
     NULL},
    END,
};

const struct conf_key apitest_coverage_keys[] = {
    {"methods", CONF_WANT_TEXT, CONF_REQUIRED,
     "share of the methods of the tested services that must be called: 95%", NULL},
    {"exclude", CONF_WANT_TEXTS, 0, "methods that need not be called", NULL},
    END,
};

const struct conf_key apitest_file_keys[] = {
    {"version", CONF_WANT_INTEGER, CONF_REQUIRED, "1, the version of this format", NULL},
    {"requires", CONF_WANT_ANY, 0,
     "variables that must be given, or nothing is called: a list of names, or a map of names to "
     "what they must match",
     NULL},
    {"vars", CONF_WANT_MAP, 0, "variables of all tests", NULL},
    {"defaults", CONF_WANT_MAP, 0, "what all cases have unless they say otherwise",
     apitest_defaults_keys},
    {"setup", CONF_WANT_LIST, 0, "tests that run before all others", apitest_test_keys},
    {"tests", CONF_WANT_LIST, CONF_REQUIRED | CONF_NOT_EMPTY, "the tests", apitest_test_keys},
    {"teardown", CONF_WANT_LIST, 0,
     "tests that run at the end, also after a failure or an interrupt", apitest_test_keys},
    {"coverage", CONF_WANT_MAP, 0, "how much must be tested", apitest_coverage_keys},
    END,
};

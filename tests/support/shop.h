#pragma once
/*
 * The messages of a shop, with all that JSON has rules for:
 *
 *     syntax = "proto3"; package shop;
 *     enum State { UNKNOWN = 0; PENDING = 1; PAID = 2; }
 *     message Line { string sku = 1; int32 quantity = 2; Line inner = 3; }
 *     message Order { ... } with fields of all kinds, see below
 *
 *     syntax = "proto2"; package old;
 *     enum Color { RED = 1; BLUE = 2; }
 *     message Thing { ... extensions 100 to 200; }
 *     extend Thing { optional int64 weight = 100; repeated Thing sub = 101; }
 *
 * Each is the JSON of a google.protobuf.FileDescriptorProto with ' for ".
 */
#include "proto/json.h"
#include "proto/pool.h"

static const char shop_proto[] =
    "{'name':'shop.proto','package':'shop','syntax':'proto3','dependency':["
    "'google/protobuf/any.proto',"
    "'google/protobuf/duration.proto',"
    "'google/protobuf/empty.proto',"
    "'google/protobuf/field_mask.proto',"
    "'google/protobuf/struct.proto',"
    "'google/protobuf/timestamp.proto',"
    "'google/protobuf/wrappers.proto'"
    "],'enumType':[{'name':'State','value':["
    "{'name':'UNKNOWN','number':0},"
    "{'name':'PENDING','number':1},"
    "{'name':'PAID','number':2}"
    "]}],'messageType':[{'name':'Line','field':["
    "{'name':'sku','number':1,'type':'TYPE_STRING'},"
    "{'name':'quantity','number':2,'type':'TYPE_INT32'},"
    "{'name':'inner','number':3,'type':'TYPE_MESSAGE','typeName':'.shop.Line'}"
    "]},{'name':'Order','oneofDecl':[{'name':'payment'},{'name':'_note'}],'nestedType':["
    "{'name':'StockEntry','options':{'mapEntry':true},'field':["
    "{'name':'key','number':1,'type':'TYPE_STRING'},"
    "{'name':'value','number':2,'type':'TYPE_INT32'}]},"
    "{'name':'ByIdEntry','options':{'mapEntry':true},'field':["
    "{'name':'key','number':1,'type':'TYPE_INT64'},"
    "{'name':'value','number':2,'type':'TYPE_MESSAGE','typeName':'.shop.Line'}]},"
    "{'name':'FlagsEntry','options':{'mapEntry':true},'field':["
    "{'name':'key','number':1,'type':'TYPE_BOOL'},"
    "{'name':'value','number':2,'type':'TYPE_ENUM','typeName':'.shop.State'}]},"
    "{'name':'ValuesEntry','options':{'mapEntry':true},'field':["
    "{'name':'key','number':1,'type':'TYPE_UINT32'},"
    "{'name':'value','number':2,'type':'TYPE_MESSAGE','typeName':'.google.protobuf.Value'}]}"
    "],'field':["
    "{'name':'id','number':1,'type':'TYPE_INT64'},"
    "{'name':'big_count','number':2,'type':'TYPE_UINT64'},"
    "{'name':'quantity','number':3,'type':'TYPE_INT32'},"
    "{'name':'price','number':4,'type':'TYPE_DOUBLE'},"
    "{'name':'weight','number':5,'type':'TYPE_FLOAT'},"
    "{'name':'gift','number':6,'type':'TYPE_BOOL'},"
    "{'name':'name','number':7,'type':'TYPE_STRING'},"
    "{'name':'photo','number':8,'type':'TYPE_BYTES'},"
    "{'name':'state','number':9,'type':'TYPE_ENUM','typeName':'.shop.State'},"
    "{'name':'line','number':10,'type':'TYPE_MESSAGE','typeName':'.shop.Line'},"
    "{'name':'lines','number':11,'type':'TYPE_MESSAGE','label':'LABEL_REPEATED'"
    "  ,'typeName':'.shop.Line'},"
    "{'name':'numbers','number':12,'type':'TYPE_INT32','label':'LABEL_REPEATED'},"
    "{'name':'states','number':13,'type':'TYPE_ENUM','label':'LABEL_REPEATED'"
    "  ,'typeName':'.shop.State'},"
    "{'name':'stock','number':14,'type':'TYPE_MESSAGE','label':'LABEL_REPEATED'"
    "  ,'typeName':'.shop.Order.StockEntry'},"
    "{'name':'by_id','number':15,'type':'TYPE_MESSAGE','label':'LABEL_REPEATED'"
    "  ,'typeName':'.shop.Order.ByIdEntry'},"
    "{'name':'flags','number':16,'type':'TYPE_MESSAGE','label':'LABEL_REPEATED'"
    "  ,'typeName':'.shop.Order.FlagsEntry'},"
    "{'name':'values','number':17,'type':'TYPE_MESSAGE','label':'LABEL_REPEATED'"
    "  ,'typeName':'.shop.Order.ValuesEntry'},"
    "{'name':'card','number':18,'type':'TYPE_STRING','oneofIndex':0},"
    "{'name':'cash','number':19,'type':'TYPE_INT32','oneofIndex':0},"
    "{'name':'nothing','number':20,'type':'TYPE_ENUM','typeName':'.google.protobuf.NullValue'"
    "  ,'oneofIndex':0},"
    "{'name':'note','number':21,'type':'TYPE_STRING','oneofIndex':1,'proto3Optional':true},"
    "{'name':'other','number':22,'type':'TYPE_STRING','jsonName':'@other'},"
    "{'name':'any','number':30,'type':'TYPE_MESSAGE','typeName':'.google.protobuf.Any'},"
    "{'name':'created_at','number':31,'type':'TYPE_MESSAGE'"
    "  ,'typeName':'.google.protobuf.Timestamp'},"
    "{'name':'took','number':32,'type':'TYPE_MESSAGE','typeName':'.google.protobuf.Duration'},"
    "{'name':'mask','number':33,'type':'TYPE_MESSAGE','typeName':'.google.protobuf.FieldMask'},"
    "{'name':'struct','number':34,'type':'TYPE_MESSAGE','typeName':'.google.protobuf.Struct'},"
    "{'name':'value','number':35,'type':'TYPE_MESSAGE','typeName':'.google.protobuf.Value'},"
    "{'name':'list','number':36,'type':'TYPE_MESSAGE','typeName':'.google.protobuf.ListValue'},"
    "{'name':'empty','number':37,'type':'TYPE_MESSAGE','typeName':'.google.protobuf.Empty'},"
    "{'name':'int64_value','number':38,'type':'TYPE_MESSAGE'"
    "  ,'typeName':'.google.protobuf.Int64Value'},"
    "{'name':'string_value','number':39,'type':'TYPE_MESSAGE'"
    "  ,'typeName':'.google.protobuf.StringValue'},"
    "{'name':'value_list','number':40,'type':'TYPE_MESSAGE','label':'LABEL_REPEATED'"
    "  ,'typeName':'.google.protobuf.Value'}"
    "]}]}";

static const char old_proto[] =
    "{'name':'old.proto','package':'old','enumType':[{'name':'Color','value':["
    "{'name':'RED','number':1},"
    "{'name':'BLUE','number':2}"
    "]}],'messageType':[{'name':'Thing','extensionRange':[{'start':100,'end':201}],'nestedType':["
    "{'name':'Part','field':[{'name':'size','number':1,'type':'TYPE_INT32'}]},"
    "{'name':'ByNameEntry','options':{'mapEntry':true},'field':["
    "{'name':'key','number':1,'type':'TYPE_STRING'},"
    "{'name':'value','number':2,'type':'TYPE_ENUM','typeName':'.old.Color'}]}"
    "],'field':["
    "{'name':'color','number':1,'type':'TYPE_ENUM','typeName':'.old.Color'},"
    "{'name':'colors','number':2,'type':'TYPE_ENUM','label':'LABEL_REPEATED'"
    "  ,'typeName':'.old.Color'},"
    "{'name':'part','number':3,'type':'TYPE_GROUP','typeName':'.old.Thing.Part'},"
    "{'name':'name','number':4,'type':'TYPE_STRING','label':'LABEL_REQUIRED'},"
    "{'name':'raw','number':5,'type':'TYPE_STRING'},"
    "{'name':'by_name','number':6,'type':'TYPE_MESSAGE','label':'LABEL_REPEATED'"
    "  ,'typeName':'.old.Thing.ByNameEntry'}"
    "]}],'extension':["
    "{'name':'weight','number':100,'type':'TYPE_INT64','extendee':'.old.Thing'},"
    "{'name':'sub','number':101,'type':'TYPE_MESSAGE','label':'LABEL_REPEATED'"
    "  ,'typeName':'.old.Thing','extendee':'.old.Thing'}"
    "]}";

/* quoted: one of these texts.  0, or err. */
static inline int shop_add(struct proto_pool *pool, const char *quoted, struct err *err)
{
    char text[8192];
    size_t len = 0;
    struct proto_msg *file = proto_pool_file_new(pool);
    if (file == NULL) {
        return err_set(err, ERR_FULL, "the pool is full");
    }
    for (; quoted[len] != '\0' && len < sizeof text; len++) {
        text[len] = quoted[len];
        if (text[len] == '\'') {
            text[len] = '"';
        }
    }
    int rc = proto_json_read((struct str){text, len}, file, 0, err);
    return rc < 0 ? rc : proto_pool_add(pool, file, err);
}

/* A pool with both, or NULL. */
static inline struct proto_pool *shop_pool(struct err *err)
{
    struct proto_pool *pool = proto_pool_new();
    if (shop_add(pool, shop_proto, err) < 0 || shop_add(pool, old_proto, err) < 0) {
        proto_pool_free(pool);
        return NULL;
    }
    return pool;
}

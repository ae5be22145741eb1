// The part of the PJRT C interface (OpenXLA, version 0.114) that Anneal calls. A plugin is a shared library that
// exports `GetPjrtApi`; nothing is linked. Every function takes a pointer to a structure whose first member says how
// much of it the caller knows, and returns an error or NULL. Structures only ever grow at their ends; `PJRTPlugin`
// checks what a plugin provides.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct PJRT_Error PJRT_Error;
typedef struct PJRT_Event PJRT_Event;
typedef struct PJRT_Client PJRT_Client;
typedef struct PJRT_Device PJRT_Device;
typedef struct PJRT_DeviceDescription PJRT_DeviceDescription;
typedef struct PJRT_Buffer PJRT_Buffer;
typedef struct PJRT_Executable PJRT_Executable;
typedef struct PJRT_LoadedExecutable PJRT_LoadedExecutable;
typedef struct PJRT_TopologyDescription PJRT_TopologyDescription;

typedef struct {
    size_t struct_size;
    void *extension;
    int major;
    int minor;
} PJRT_Version;

// The functions follow, in the order of their indices.
typedef struct {
    size_t struct_size;
    void *extension;
    PJRT_Version version;
} PJRT_Api;

// Indices of functions.
typedef enum {
    PJRT_Error_Destroy = 0,
    PJRT_Error_Message = 1,
    PJRT_Error_GetCode = 2,
    PJRT_Plugin_Initialize = 3,
    PJRT_Event_Destroy = 5,
    PJRT_Event_Await = 8,
    PJRT_Client_Create = 10,
    PJRT_Client_Destroy = 11,
    PJRT_Client_PlatformName = 12,
    PJRT_Client_PlatformVersion = 14,
    PJRT_Client_AddressableDevices = 16,
    PJRT_Client_Compile = 20,
    PJRT_Client_BufferFromHostBuffer = 22,
    PJRT_DeviceDescription_Id = 23,
    PJRT_DeviceDescription_Kind = 26,
    PJRT_Device_GetDescription = 29,
    PJRT_Device_MemoryStats = 34,
    PJRT_Executable_Destroy = 40,
    PJRT_Executable_OptimizedProgram = 48,
    PJRT_Executable_Serialize = 49,
    PJRT_LoadedExecutable_Destroy = 50,
    PJRT_LoadedExecutable_GetExecutable = 51,
    PJRT_LoadedExecutable_Execute = 55,
    PJRT_Executable_DeserializeAndLoad = 56,
    PJRT_Buffer_Destroy = 58,
    PJRT_Buffer_CopyToDevice = 69,
    PJRT_Buffer_ToHostBuffer = 70,
    PJRT_TopologyDescription_Create = 82,
    PJRT_TopologyDescription_Destroy = 83,
    PJRT_Compile = 89,
    PJRT_Executable_GetCompiledMemoryStats = 96,
} PJRT_Function;

#define PJRT_ARGUMENTS                                                                                                 \
    size_t struct_size;                                                                                                \
    void *extension

// Errors.

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_Error *error;
} PJRT_Error_Destroy_Args;

typedef struct {
    PJRT_ARGUMENTS;
    const PJRT_Error *error;
    const char *message; // out; lives as long as the error
    size_t message_size; // out
} PJRT_Error_Message_Args;

enum { PJRT_RESOURCE_EXHAUSTED = 8 };

typedef struct {
    PJRT_ARGUMENTS;
    const PJRT_Error *error;
    int code; // out
} PJRT_Error_GetCode_Args;

typedef struct {
    PJRT_ARGUMENTS;
} PJRT_Plugin_Initialize_Args;

// Events: work in progress.

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_Event *event;
} PJRT_Event_Args;

// Clients and devices.

typedef enum { PJRT_OPTION_STRING, PJRT_OPTION_INT64, PJRT_OPTION_INT64_LIST, PJRT_OPTION_FLOAT, PJRT_OPTION_BOOL } PJRT_OptionType;

typedef struct {
    PJRT_ARGUMENTS;
    const char *name;
    size_t name_size;
    PJRT_OptionType type;
    union {
        const char *string_value;
        int64_t int64_value;
        const int64_t *int64_list;
        float float_value;
        bool bool_value;
    };
    size_t value_size; // for a string or list; else 1
} PJRT_NamedValue;

typedef struct {
    PJRT_ARGUMENTS;
    const PJRT_NamedValue *options;
    size_t option_count;
    void *get;
    void *get_argument;
    void *put;
    void *put_argument;
    PJRT_Client *client; // out
    void *try_get;
    void *try_get_argument;
} PJRT_Client_Create_Args;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_Client *client;
} PJRT_Client_Destroy_Args;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_Client *client;
    const char *text; // out; lives as long as the client
    size_t text_size; // out
} PJRT_Client_Text_Args;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_Client *client;
    PJRT_Device *const *devices; // out
    size_t device_count;         // out
} PJRT_Client_AddressableDevices_Args;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_Device *device;
    PJRT_DeviceDescription *description; // out
} PJRT_Device_GetDescription_Args;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_DeviceDescription *description;
    int id; // out
} PJRT_DeviceDescription_Id_Args;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_DeviceDescription *description;
    const char *kind; // out
    size_t kind_size; // out
} PJRT_DeviceDescription_Kind_Args;

typedef struct {
    int64_t value;
    bool is_set;
} PJRT_OptionalCount;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_Device *device;
    int64_t bytes_in_use; // out, as all that follows
    PJRT_OptionalCount peak_bytes_in_use;
    PJRT_OptionalCount allocations;
    PJRT_OptionalCount largest_allocation;
    PJRT_OptionalCount bytes_limit;
    PJRT_OptionalCount others[8];
} PJRT_Device_MemoryStats_Args;

// Programs.

typedef struct {
    PJRT_ARGUMENTS;
    const char *code;
    size_t code_size;
    const char *format;
    size_t format_size;
} PJRT_Program;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_Client *client;
    const PJRT_Program *program;
    const uint8_t *options; // a CompileOptionsProto
    size_t options_size;
    PJRT_LoadedExecutable *executable; // out
} PJRT_Client_Compile_Args;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_LoadedExecutable *loaded;
    PJRT_Executable *executable; // out; must be destroyed
} PJRT_LoadedExecutable_GetExecutable_Args;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_Executable *executable;
} PJRT_Executable_Destroy_Args;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_LoadedExecutable *executable;
} PJRT_LoadedExecutable_Destroy_Args;

// The compiler's own form of a program; called twice, without and with memory for the code.
typedef struct {
    PJRT_ARGUMENTS;
    PJRT_Executable *executable;
    PJRT_Program *program; // its sizes and format are set, and its code if that is not NULL
} PJRT_Executable_OptimizedProgram_Args;

// Devices that need not be in this machine.

typedef struct {
    PJRT_ARGUMENTS;
    const char *name;
    size_t name_size;
    const PJRT_NamedValue *options;
    size_t option_count;
    PJRT_TopologyDescription *topology; // out
} PJRT_TopologyDescription_Create_Args;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_TopologyDescription *topology;
} PJRT_TopologyDescription_Destroy_Args;

typedef struct {
    PJRT_ARGUMENTS;
    const PJRT_TopologyDescription *topology;
    const PJRT_Program *program;
    const uint8_t *options; // a CompileOptionsProto
    size_t options_size;
    PJRT_Client *client;         // or NULL
    PJRT_Executable *executable; // out
} PJRT_Compile_Args;

typedef struct {
    PJRT_ARGUMENTS;
    const PJRT_Executable *executable;
    const uint8_t *bytes; // out; stay valid as long as the following
    size_t byte_count;    // out
    void *serialized;     // out
    void (*destroy)(void *serialized); // out
} PJRT_Executable_Serialize_Args;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_Client *client;
    const uint8_t *bytes;
    size_t byte_count;
    PJRT_LoadedExecutable *executable; // out
    const uint8_t *options;
    size_t options_size;
    void *load_options;
} PJRT_Executable_DeserializeAndLoad_Args;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_Executable *executable;
    int64_t code, arguments, outputs, aliased, temporary; // out, bytes on the device
    int64_t on_host[5];
    int64_t peak;
    int64_t others[4];
} PJRT_Executable_GetCompiledMemoryStats_Args;

typedef struct {
    PJRT_ARGUMENTS;
    void *send_callbacks;
    void *receive_callbacks;
    size_t send_count;
    size_t receive_count;
    int launch_id;
    const int64_t *kept_inputs; // that are not donated even so
    size_t kept_input_count;
    void *context;
    const char *call_location;
    size_t task_count;
    int *task_ids;
    int64_t *incarnation_ids;
    void *slice_configuration;
    bool major_to_minor_callbacks;
    void *output_callbacks;
    size_t output_callback_count;
} PJRT_ExecuteOptions;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_LoadedExecutable *executable;
    PJRT_ExecuteOptions *options;
    PJRT_Buffer *const *const *arguments; // for each device
    size_t device_count;
    size_t argument_count;
    PJRT_Buffer **const *outputs; // for each device, filled in
    PJRT_Event **completed;       // for each device, filled in
    PJRT_Device *device;          // for a portable executable
} PJRT_LoadedExecutable_Execute_Args;

// Arrays in a device's memory.

typedef enum {
    PJRT_PRED = 1,
    PJRT_S32 = 4,
    PJRT_U8 = 6,
    PJRT_U32 = 8,
    PJRT_U64 = 9,
    PJRT_F16 = 10,
    PJRT_F32 = 11,
    PJRT_BF16 = 13,
} PJRT_ElementType;

enum { PJRT_UNCHANGED_DURING_CALL = 0, PJRT_UNCHANGED_UNTIL_TRANSFERRED = 1 };

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_Client *client;
    const void *data;
    PJRT_ElementType type;
    const int64_t *dims;
    size_t dim_count;
    const int64_t *byte_strides;
    size_t byte_stride_count;
    int semantics;
    PJRT_Device *device;
    void *memory;
    void *layout;
    PJRT_Event *transferred; // out
    PJRT_Buffer *buffer;     // out
} PJRT_Client_BufferFromHostBuffer_Args;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_Buffer *buffer;
} PJRT_Buffer_Args;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_Buffer *buffer;
    void *layout;
    void *target;
    size_t target_size;
    PJRT_Event *transferred; // out
} PJRT_Buffer_ToHostBuffer_Args;

typedef struct {
    PJRT_ARGUMENTS;
    PJRT_Buffer *buffer;
    PJRT_Device *device;
    PJRT_Buffer *copy; // out
} PJRT_Buffer_CopyToDevice_Args;

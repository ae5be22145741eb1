import AnnealCore
import CPJRT

/// A plugin's devices in this process, and what is made on them.
///
/// The plugin's functions may be called from any thread.
package final class PJRTClient: @unchecked Sendable {
    let plugin: PJRTPlugin
    let platform: String
    let platformVersion: String
    let devices: [PJRTDevice]
    fileprivate let pointer: OpaquePointer

    /// An option that a plugin takes when its client is made.
    package enum Option {
        case int(String, Int64)
        case bool(String, Bool)
        case float(String, Float)
        case string(String, String)
    }

    /// - Throws: `AnnealError`: no device, no driver, a library that is missing, as the plugin says it.
    package init(_ plugin: PJRTPlugin, options: [Option] = []) throws {
        self.plugin = plugin
        var arguments = PJRT_Client_Create_Args()
        let made = try Self.withValues(options) { values in
            arguments.options = values.baseAddress
            arguments.option_count = values.count
            try plugin.call(PJRT_Client_Create, &arguments)
            return arguments.client
        }
        guard let made else { throw AnnealError("plugin \(plugin.path)", "made no client", code: .unsupported) }
        pointer = made
        platform = try Self.text(plugin, PJRT_Client_PlatformName, made)
        platformVersion = try Self.text(plugin, PJRT_Client_PlatformVersion, made)
        var list = PJRT_Client_AddressableDevices_Args()
        list.client = made
        try plugin.call(PJRT_Client_AddressableDevices, &list)
        devices = try (0..<list.device_count).compactMap { index in
            try list.devices[index].map { try PJRTDevice(plugin, $0, index: index) }
        }
    }

    deinit {
        var arguments = PJRT_Client_Destroy_Args()
        arguments.client = pointer
        plugin.destroy(PJRT_Client_Destroy, &arguments)
    }

    private static func text(_ plugin: PJRTPlugin, _ function: PJRT_Function, _ client: OpaquePointer) throws -> String
    {
        var arguments = PJRT_Client_Text_Args()
        arguments.client = client
        try plugin.call(function, &arguments)
        return string(arguments.text, arguments.text_size)
    }

    fileprivate static func string(_ text: UnsafePointer<CChar>?, _ count: Int) -> String {
        text.map { String(decoding: UnsafeRawBufferPointer(start: $0, count: count), as: UTF8.self) } ?? ""
    }

    static func withValues<Result>(
        _ options: [Option], _ body: (UnsafeBufferPointer<PJRT_NamedValue>) throws -> Result
    ) rethrows -> Result {
        var texts: [UnsafeMutableBufferPointer<CChar>] = []
        defer { for text in texts { text.deallocate() } }
        func kept(_ text: String) -> UnsafeMutableBufferPointer<CChar> {
            let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: text.utf8.count)
            _ = copy.initialize(from: text.utf8.map { CChar(bitPattern: $0) })
            texts.append(copy)
            return copy
        }
        let values = options.map { option in
            var value = PJRT_NamedValue()
            value.struct_size = MemoryLayout<PJRT_NamedValue>.size
            value.value_size = 1
            let name: String
            switch option {
            case .int(let key, let number): (name, value.type, value.int64_value) = (key, PJRT_OPTION_INT64, number)
            case .bool(let key, let flag): (name, value.type, value.bool_value) = (key, PJRT_OPTION_BOOL, flag)
            case .float(let key, let number): (name, value.type, value.float_value) = (key, PJRT_OPTION_FLOAT, number)
            case .string(let key, let text):
                let copy = kept(text)
                (name, value.type, value.value_size) = (key, PJRT_OPTION_STRING, copy.count)
                value.string_value = UnsafePointer(copy.baseAddress)
            }
            let copy = kept(name)
            value.name = UnsafePointer(copy.baseAddress)
            value.name_size = copy.count
            return value
        }
        return try values.withUnsafeBufferPointer(body)
    }

    // MARK: Programs

    /// Compiles a module in StableHLO's text.
    func compile(_ text: String, options: CompileOptions) throws -> PJRTExecutable {
        var arguments = PJRT_Client_Compile_Args()
        arguments.client = pointer
        try Self.withProgram(text, options) { program, options in
            arguments.program = program
            arguments.options = options.baseAddress
            arguments.options_size = options.count
            try plugin.call(PJRT_Client_Compile, &arguments)
        }
        return try PJRTExecutable(self, arguments.executable)
    }

    /// Runs `body` on a module and options as plugins take them.
    static func withProgram(
        _ text: String, _ options: CompileOptions,
        _ body: (UnsafePointer<PJRT_Program>, UnsafeBufferPointer<UInt8>) throws -> Void
    ) throws {
        let bytes = options.encoded, format = Array("mlir".utf8CString.dropLast())
        let code = Array(text.utf8CString.dropLast())
        try code.withUnsafeBufferPointer { code in
            try format.withUnsafeBufferPointer { format in
                try bytes.withUnsafeBufferPointer { bytes in
                    var program = PJRT_Program()
                    program.struct_size = MemoryLayout<PJRT_Program>.size
                    program.code = code.baseAddress
                    program.code_size = code.count
                    program.format = format.baseAddress
                    program.format_size = format.count
                    try withUnsafePointer(to: &program) { try body($0, bytes) }
                }
            }
        }
    }

    /// Loads what `PJRTExecutable.serialized` gave.
    func load(_ bytes: [UInt8]) throws -> PJRTExecutable {
        var arguments = PJRT_Executable_DeserializeAndLoad_Args()
        arguments.client = pointer
        try bytes.withUnsafeBufferPointer { bytes in
            arguments.bytes = bytes.baseAddress
            arguments.byte_count = bytes.count
            try plugin.call(PJRT_Executable_DeserializeAndLoad, &arguments)
        }
        return try PJRTExecutable(self, arguments.executable)
    }

    // MARK: Arrays

    /// Starts copying an array in row-major order to a device.
    /// - Parameters:
    ///   - data: must stay as it is until the event, unless `copies`.
    ///   - copies: whether the memory may be changed when the call returns.
    func upload(
        _ data: UnsafeRawBufferPointer, type: PJRT_ElementType, dims: [Int], to device: PJRTDevice, copies: Bool
    ) throws -> (buffer: PJRTBuffer, event: PJRTEvent) {
        var arguments = PJRT_Client_BufferFromHostBuffer_Args()
        arguments.client = pointer
        arguments.data = data.baseAddress
        arguments.type = type
        arguments.semantics = Int32(copies ? PJRT_UNCHANGED_DURING_CALL : PJRT_UNCHANGED_UNTIL_TRANSFERRED)
        arguments.device = device.pointer
        let extents = dims.map(Int64.init)
        try extents.withUnsafeBufferPointer { extents in
            arguments.dims = extents.baseAddress
            arguments.dim_count = extents.count
            try plugin.call(PJRT_Client_BufferFromHostBuffer, &arguments)
        }
        let event = PJRTEvent(self, arguments.transferred)
        guard let buffer = arguments.buffer else { throw nothing("upload") }
        return (PJRTBuffer(self, buffer), event)
    }

    fileprivate func nothing(_ call: String) -> AnnealError {
        AnnealError("plugin \(plugin.path)", "\(call) gave nothing", code: .unsupported)
    }
}

/// One device of a client; lives as long as the client does.
struct PJRTDevice: @unchecked Sendable {
    /// Its place among the client's devices.
    let index: Int
    let kind: String
    /// Its number among the devices of all processes.
    let id: Int
    fileprivate let pointer: OpaquePointer

    fileprivate init(_ plugin: PJRTPlugin, _ pointer: OpaquePointer, index: Int) throws {
        self.pointer = pointer
        self.index = index
        var description = PJRT_Device_GetDescription_Args(), kind = PJRT_DeviceDescription_Kind_Args()
        description.device = pointer
        try plugin.call(PJRT_Device_GetDescription, &description)
        kind.description = description.description
        try plugin.call(PJRT_DeviceDescription_Kind, &kind)
        var id = PJRT_DeviceDescription_Id_Args()
        id.description = description.description
        try plugin.call(PJRT_DeviceDescription_Id, &id)
        self.id = Int(id.id)
        self.kind = PJRTClient.string(kind.kind, kind.kind_size)
    }

    /// Bytes of memory that programs may use; nil where the plugin does not say.
    func memory(_ client: PJRTClient) -> Int? {
        var stats = PJRT_Device_MemoryStats_Args()
        stats.device = pointer
        guard (try? client.plugin.call(PJRT_Device_MemoryStats, &stats)) != nil, stats.bytes_limit.is_set else {
            return nil
        }
        return Int(stats.bytes_limit.value)
    }
}

/// Work that is under way.
final class PJRTEvent {
    private let client: PJRTClient
    private let pointer: OpaquePointer?

    fileprivate init(_ client: PJRTClient, _ pointer: OpaquePointer?) {
        self.client = client
        self.pointer = pointer
    }

    deinit {
        guard let pointer else { return }
        var arguments = PJRT_Event_Args()
        arguments.event = pointer
        client.plugin.destroy(PJRT_Event_Destroy, &arguments)
    }

    /// Blocks until the work is done.
    /// - Throws: what went wrong in it.
    func wait() throws {
        guard let pointer else { return }
        var arguments = PJRT_Event_Args()
        arguments.event = pointer
        try client.plugin.call(PJRT_Event_Await, &arguments)
    }
}

/// An array in a device's memory. It cannot be used any more once it was donated to an execution.
final class PJRTBuffer {
    private let client: PJRTClient
    fileprivate let pointer: OpaquePointer

    fileprivate init(_ client: PJRTClient, _ pointer: OpaquePointer) {
        self.client = client
        self.pointer = pointer
    }

    deinit {
        var arguments = PJRT_Buffer_Args()
        arguments.buffer = pointer
        client.plugin.destroy(PJRT_Buffer_Destroy, &arguments)
    }

    /// Starts copying it to another device.
    func copied(to device: PJRTDevice) throws -> PJRTBuffer {
        var arguments = PJRT_Buffer_CopyToDevice_Args()
        arguments.buffer = pointer
        arguments.device = device.pointer
        try client.plugin.call(PJRT_Buffer_CopyToDevice, &arguments)
        guard let copy = arguments.copy else { throw client.nothing("a copy") }
        return PJRTBuffer(client, copy)
    }

    /// Starts copying it, in row-major order, to host memory that stays until the event.
    func download(to target: UnsafeMutableRawBufferPointer) throws -> PJRTEvent {
        var arguments = PJRT_Buffer_ToHostBuffer_Args()
        arguments.buffer = pointer
        arguments.target = target.baseAddress
        arguments.target_size = target.count
        try client.plugin.call(PJRT_Buffer_ToHostBuffer, &arguments)
        return PJRTEvent(client, arguments.transferred)
    }
}

/// A program that is ready to run.
final class PJRTExecutable {
    private let client: PJRTClient
    private let pointer: OpaquePointer

    fileprivate init(_ client: PJRTClient, _ pointer: OpaquePointer?) throws {
        guard let pointer else { throw client.nothing("compilation") }
        self.client = client
        self.pointer = pointer
    }

    deinit {
        var arguments = PJRT_LoadedExecutable_Destroy_Args()
        arguments.executable = pointer
        client.plugin.destroy(PJRT_LoadedExecutable_Destroy, &arguments)
    }

    /// Starts a run on one device.
    /// - Parameter outputs: how many arrays it gives.
    func run(_ inputs: [PJRTBuffer], outputs: Int, on device: PJRTDevice) throws -> (
        outputs: [PJRTBuffer], event: PJRTEvent
    ) {
        try run([inputs], outputs: outputs, on: device)[0]
    }

    /// Starts a run on all devices that it was compiled for, or on one.
    /// - Parameters:
    ///   - inputs: of each device.
    ///   - device: for an executable that runs on any one.
    func run(_ inputs: [[PJRTBuffer]], outputs: Int, on device: PJRTDevice? = nil) throws -> [(
        outputs: [PJRTBuffer], event: PJRTEvent
    )] {
        var options = PJRT_ExecuteOptions()
        options.struct_size = MemoryLayout<PJRT_ExecuteOptions>.size
        typealias List = UnsafeMutableBufferPointer<OpaquePointer?>
        func list(_ pointers: [OpaquePointer?]) -> List {
            let list = List.allocate(capacity: max(1, pointers.count))
            list.initialize(repeating: nil)
            for (index, pointer) in pointers.enumerated() { list[index] = pointer }
            return list
        }
        let given = inputs.map { list($0.map(\.pointer)) }
        let made = inputs.map { _ in list(Array(repeating: nil, count: outputs)) }
        defer { for list in given + made { list.deallocate() } }
        var completed = [OpaquePointer?](repeating: nil, count: inputs.count)
        let givenLists = given.map { UnsafePointer($0.baseAddress) }, madeLists = made.map(\.baseAddress)
        try withUnsafeMutablePointer(to: &options) { options in
            try givenLists.withUnsafeBufferPointer { givenLists in
                try madeLists.withUnsafeBufferPointer { madeLists in
                    try completed.withUnsafeMutableBufferPointer { completed in
                        var arguments = PJRT_LoadedExecutable_Execute_Args()
                        arguments.executable = pointer
                        arguments.options = options
                        arguments.arguments = givenLists.baseAddress
                        arguments.device_count = inputs.count
                        arguments.argument_count = inputs.first?.count ?? 0
                        arguments.outputs = madeLists.baseAddress
                        arguments.completed = completed.baseAddress
                        arguments.device = device?.pointer
                        try client.plugin.call(PJRT_LoadedExecutable_Execute, &arguments)
                    }
                }
            }
        }
        // Kept until here by the caller, whose buffers they are.
        return withExtendedLifetime(inputs) {
            zip(made, completed).map { list, completed in
                (
                    list.prefix(outputs).compactMap { $0.map { PJRTBuffer(client, $0) } },
                    PJRTEvent(client, completed)
                )
            }
        }
    }

    /// Runs `body` on the plugin's own object of what was compiled.
    private func withExecutable<Result>(_ body: (OpaquePointer) throws -> Result) throws -> Result {
        var arguments = PJRT_LoadedExecutable_GetExecutable_Args()
        arguments.loaded = pointer
        try client.plugin.call(PJRT_LoadedExecutable_GetExecutable, &arguments)
        guard let executable = arguments.executable else { throw client.nothing("an executable") }
        defer {
            var arguments = PJRT_Executable_Destroy_Args()
            arguments.executable = executable
            client.plugin.destroy(PJRT_Executable_Destroy, &arguments)
        }
        return try body(executable)
    }

    /// Bytes that `PJRTClient.load` takes.
    func serialized() throws -> [UInt8] {
        try withExecutable { executable in
            var arguments = PJRT_Executable_Serialize_Args()
            arguments.executable = executable
            try client.plugin.call(PJRT_Executable_Serialize, &arguments)
            defer { arguments.destroy?(arguments.serialized) }
            return Array(UnsafeBufferPointer(start: arguments.bytes, count: arguments.byte_count))
        }
    }

    /// Bytes on the device for what lives within a run; nil where the plugin does not say.
    func temporaryBytes() -> Int? {
        try? withExecutable { executable in
            var arguments = PJRT_Executable_GetCompiledMemoryStats_Args()
            arguments.executable = executable
            try client.plugin.call(PJRT_Executable_GetCompiledMemoryStats, &arguments)
            return Int(arguments.temporary)
        }
    }
}

/// What a plugin is told beside a program: a `CompileOptionsProto` in the encoding of Protocol Buffers.
package struct CompileOptions {
    /// XLA's own flags, e.g. `xla_gpu_deterministic_ops`.
    package var flags: [(name: String, value: Bool)]
    /// The devices, by their `id`, that run the program together; empty: any one by itself.
    package var replicas: [Int] = []

    package init(flags: [(name: String, value: Bool)] = []) { self.flags = flags }

    /// For keys.
    var text: String { flags.map { "\($0.name)=\($0.value)" }.joined(separator: " ") + " \(replicas)" }

    package var encoded: [UInt8] {
        // So many replicas, one partition.
        var build = Self.field(4, UInt64(max(1, replicas.count))) + Self.field(5, 1)
        if !replicas.isEmpty {
            // A DeviceAssignmentProto: replicas, partitions, and the devices of the first partition.
            let devices = Self.field(1, bytes: replicas.flatMap { Self.variable(UInt64($0)) })
            build += Self.field(
                9, bytes: Self.field(1, UInt64(replicas.count)) + Self.field(2, 1) + Self.field(3, bytes: devices))
        }
        build = Self.field(3, bytes: build)
        // A portable executable runs on any device of its kind.
        if replicas.isEmpty { build += Self.field(4, 1) }
        for flag in flags {
            // An OptionOverrideProto's bool_field is its second.
            let value = Self.field(2, flag.value ? 1 : 0)
            build += Self.field(
                7, bytes: Self.field(1, bytes: Array(flag.name.utf8)) + Self.field(2, bytes: value))
        }
        return build
    }

    private static func variable(_ number: UInt64) -> [UInt8] {
        var rest = number, bytes: [UInt8] = []
        repeat {
            bytes.append(UInt8(rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return bytes
    }

    private static func field(_ number: UInt64, _ value: UInt64) -> [UInt8] { variable(number << 3) + variable(value) }
    private static func field(_ number: UInt64, bytes: [UInt8]) -> [UInt8] {
        variable(number << 3 | 2) + variable(UInt64(bytes.count)) + bytes
    }
}

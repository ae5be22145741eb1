import AnnealCore
import CPJRT

/// A plugin's devices in this process, and what is created on them.
///
/// The plugin's functions may be called from any thread.
package final class PJRTClient: @unchecked Sendable {
    let plugin: PJRTPlugin
    let platform: String
    let platformVersion: String
    let devices: [PJRTDevice]
    let pointer: OpaquePointer

    /// An option that a plugin accepts when its client is created.
    package enum Option {
        case int(String, Int64)
        case ints(String, [Int64])
        case bool(String, Bool)
        case float(String, Float)
        case string(String, String)
    }

    /// - Throws: `AnnealError` with the plugin's message: no device, no driver, a missing library.
    package init(_ plugin: PJRTPlugin, options: [Option] = []) throws {
        self.plugin = plugin
        var arguments = PJRT_Client_Create_Args()
        let made: OpaquePointer?
        do {
            made = try Self.withValues(options) { values in
                arguments.options = values.baseAddress
                arguments.option_count = values.count
                try plugin.call(PJRT_Client_Create, &arguments)
                return arguments.client
            }
        } catch var error as AnnealError {
            let tools = [("cuda", "nvidia-smi"), ("rocm", "rocm-smi")]
            if error.suggestion == nil, let tool = tools.first(where: { plugin.path.contains($0.0) })?.1 {
                error.suggestion = "'\(tool)' tells whether the driver is installed and sees a GPU"
            }
            throw error
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

    static func string(_ text: UnsafePointer<CChar>?, _ count: Int) -> String {
        text.map { String(decoding: UnsafeRawBufferPointer(start: $0, count: count), as: UTF8.self) } ?? ""
    }

    static func withValues<Result>(
        _ options: [Option], _ body: (UnsafeBufferPointer<PJRT_NamedValue>) throws -> Result
    ) rethrows -> Result {
        var texts: [UnsafeMutableBufferPointer<CChar>] = [], lists: [UnsafeMutableBufferPointer<Int64>] = []
        defer {
            for text in texts { text.deallocate() }
            for list in lists { list.deallocate() }
        }
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
            case .ints(let key, let numbers):
                let list = UnsafeMutableBufferPointer<Int64>.allocate(capacity: numbers.count)
                _ = list.initialize(from: numbers)
                lists.append(list)
                (name, value.type, value.value_size) = (key, PJRT_OPTION_INT64_LIST, numbers.count)
                value.int64_list = UnsafePointer(list.baseAddress)
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

    /// Compiles a module given as StableHLO text.
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

    /// Calls `body` with a module and options in the form that plugins expect.
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

    /// Loads bytes that `PJRTExecutable.serialized` returned.
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
    ///   - data: must stay unchanged until the event, unless `copies`.
    ///   - copies: whether the memory may be changed as soon as the call returns.
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

    func nothing(_ call: String) -> AnnealError {
        AnnealError("plugin \(plugin.path)", "\(call) gave nothing", code: .unsupported)
    }
}

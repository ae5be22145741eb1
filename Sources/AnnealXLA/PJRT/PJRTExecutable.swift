import AnnealCore
import CPJRT

/// A program that is ready to run.
final class PJRTExecutable {
    private let client: PJRTClient
    private let pointer: OpaquePointer

    init(_ client: PJRTClient, _ pointer: OpaquePointer?) throws {
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
    /// - Parameter outputs: the number of arrays that it returns.
    func run(_ inputs: [PJRTBuffer], outputs: Int, on device: PJRTDevice) throws -> (
        outputs: [PJRTBuffer], event: PJRTEvent
    ) {
        try run([inputs], outputs: outputs, on: device)[0]
    }

    /// Starts a run on all devices that it was compiled for, or on one.
    /// - Parameters:
    ///   - inputs: for each device.
    ///   - device: for an executable that can run on any device.
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
        // The buffers must live at least until here.
        return withExtendedLifetime(inputs) {
            zip(made, completed).map { list, completed in
                (
                    list.prefix(outputs).compactMap { $0.map { PJRTBuffer(client, $0) } },
                    PJRTEvent(client, completed)
                )
            }
        }
    }

    /// Calls `body` with the plugin's own executable object.
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

    /// Bytes for `PJRTClient.load`.
    func serialized() throws -> [UInt8] {
        try withExecutable { executable in
            var arguments = PJRT_Executable_Serialize_Args()
            arguments.executable = executable
            try client.plugin.call(PJRT_Executable_Serialize, &arguments)
            defer { arguments.destroy?(arguments.serialized) }
            return Array(UnsafeBufferPointer(start: arguments.bytes, count: arguments.byte_count))
        }
    }

    /// Device memory used within a run, in bytes; nil if the plugin does not report it.
    func temporaryBytes() -> Int? {
        try? withExecutable { executable in
            var arguments = PJRT_Executable_GetCompiledMemoryStats_Args()
            arguments.executable = executable
            try client.plugin.call(PJRT_Executable_GetCompiledMemoryStats, &arguments)
            return Int(arguments.temporary)
        }
    }
}

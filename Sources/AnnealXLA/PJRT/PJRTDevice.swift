import CPJRT

/// One device of a client; lives as long as the client does.
struct PJRTDevice: @unchecked Sendable {
    /// Its index among the client's devices.
    let index: Int
    let kind: String
    /// Its number among the devices of all processes.
    let id: Int
    let pointer: OpaquePointer

    init(_ plugin: PJRTPlugin, _ pointer: OpaquePointer, index: Int) throws {
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

    /// Bytes of memory that programs may use; nil if the plugin does not report it.
    func memory(_ client: PJRTClient) -> Int? { statistics(client).flatMap { Self.count($0.bytes_limit) } }

    /// Peak bytes in use since the client was created; nil if the plugin does not report it.
    func peakMemory(_ client: PJRTClient) -> Int? { statistics(client).flatMap { Self.count($0.peak_bytes_in_use) } }

    private func statistics(_ client: PJRTClient) -> PJRT_Device_MemoryStats_Args? {
        var arguments = PJRT_Device_MemoryStats_Args()
        arguments.device = pointer
        return (try? client.plugin.call(PJRT_Device_MemoryStats, &arguments)).map { arguments }
    }

    private static func count(_ count: PJRT_OptionalCount) -> Int? { count.is_set ? Int(count.value) : nil }
}

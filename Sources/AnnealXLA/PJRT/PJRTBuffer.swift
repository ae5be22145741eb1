import AnnealCore
import CPJRT

/// Work in progress.
final class PJRTEvent {
    private let client: PJRTClient
    private let pointer: OpaquePointer?

    init(_ client: PJRTClient, _ pointer: OpaquePointer?) {
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
    /// - Throws: the error that the work failed with.
    func wait() throws {
        guard let pointer else { return }
        var arguments = PJRT_Event_Args()
        arguments.event = pointer
        try client.plugin.call(PJRT_Event_Await, &arguments)
    }
}

/// An array in a device's memory. It cannot be used after it was donated to an execution.
final class PJRTBuffer {
    private let client: PJRTClient
    let pointer: OpaquePointer

    init(_ client: PJRTClient, _ pointer: OpaquePointer) {
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

    /// Starts copying it, in row-major order, to host memory that must stay valid until the event.
    func download(to target: UnsafeMutableRawBufferPointer) throws -> PJRTEvent {
        var arguments = PJRT_Buffer_ToHostBuffer_Args()
        arguments.buffer = pointer
        arguments.target = target.baseAddress
        arguments.target_size = target.count
        try client.plugin.call(PJRT_Buffer_ToHostBuffer, &arguments)
        return PJRTEvent(client, arguments.transferred)
    }
}

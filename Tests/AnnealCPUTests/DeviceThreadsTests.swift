import Anneal
import Testing

/// A device has threads of its own, whichever thread asks for its work.
@Suite(.serialized) struct DeviceThreadsTests {
    /// The threads that an operation finds on a device.
    private static func found(_ device: Device) throws -> Int {
        let net = try SymbolBuilder().activation(.variable("data"), .tanh)
        let executor = try Executor(net, inputs: ["data": [4, 4]], mode: .inference, device: device)
        var found = 0
        executor.around = { _, run in
            found = Parallel.threads
            run()
        }
        try executor.forward()
        return found
    }

    @Test func devicesDoNotShareThem() throws {
        let before = Parallel.threads
        let one = try Device.cpu(threads: 1), three = try Device.cpu(threads: 3)
        #expect(try Self.found(one) == 1)
        #expect(try Self.found(three) == 3)
        #expect(try Self.found(one) == 1)
        #expect(Parallel.threads == before)
        #expect(throws: AnnealError.self) { try Device.cpu(threads: 0) }
    }

    /// A pool that was set for one thread is another for the threads of tasks.
    @Test func tasksHaveThoseOfTheDevice() async throws {
        for count in [1, 3] {
            let found = try await Task.detached { try Self.found(.cpu(threads: count)) }.value
            #expect(found == count)
        }
    }
}

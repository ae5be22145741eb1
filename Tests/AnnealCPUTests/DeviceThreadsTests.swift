import Anneal
import Testing

/// A device has its own threads, whichever thread submits its work.
@Suite(.serialized) struct DeviceThreadsTests {
    /// The number of threads that an operation finds on a device.
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

    /// Setting a thread's pool does not affect the threads of tasks.
    @Test func tasksHaveThoseOfTheDevice() async throws {
        for count in [1, 3] {
            let found = try await Task.detached { try Self.found(.cpu(threads: count)) }.value
            #expect(found == count)
        }
    }
}

import Foundation

/// Threads for blocking work, which must not block the threads of Swift concurrency.
package enum OwnThread {
    /// Starts a detached thread.
    /// - Parameters:
    ///   - name: for debuggers.
    ///   - pool: the number of threads for the parallel regions that it runs; it is set per thread (`Parallel`).
    /// - Throws: `AnnealError` when the thread cannot be started.
    package static func start(_ name: String, pool: Int, _ body: @escaping @Sendable () -> Void) throws {
        let start = Start(name: name, pool: pool, body: body)
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(start)
        let status = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                Thread.current.name = start.name
                Parallel.setThreads(start.pool)
                start.body()
                return nil
            }, argument.toOpaque())
        guard status == 0 else {
            argument.release()
            throw AnnealError(
                "thread \(name)", "cannot be started: \(String(cString: strerror(status)))",
                suggestion: "allow more processes (ulimit -u) or more memory", code: .outOfMemory)
        }
    }

    /// Runs `body` on a new thread while the task is suspended.
    package static func run<Value: Sendable>(
        _ name: String, pool: Int, _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            do {
                try start(name, pool: pool) { continuation.resume(with: Result { try body() }) }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    private final class Start: Sendable {
        let name: String
        let pool: Int
        let body: @Sendable () -> Void

        init(name: String, pool: Int, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.pool = pool
            self.body = body
        }
    }
}

/// Passes a value that is not `Sendable` from one thread to another. The code that creates one ensures that only one
/// thread uses the value at a time, and says why there.
package struct Handover<Value>: @unchecked Sendable {
    package let value: Value
    package init(_ value: Value) { self.value = value }
}

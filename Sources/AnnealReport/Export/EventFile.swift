import AnnealCore
import Foundation

/// An event file for TensorBoard: protocol buffers (`event.proto`, `summary.proto`) in the frames of TensorFlow's
/// record files: length, its checksum, bytes, their checksum.
package final class EventFile {
    package enum Value: Sendable {
        case scalar(Double)
        /// An encoded PNG with its width and height.
        case image(png: Data, width: Int, height: Int)
        case histogram(EventHistogram)
    }

    private let file: AppendedFile
    private let clock: () -> Double

    /// Creates a new file in the folder.
    /// - Parameters:
    ///   - number: distinguishes files that one process creates within a second.
    ///   - clock: seconds since 1970.
    /// - Throws: `AnnealError` if it cannot be created.
    package init(
        inFolder folder: String, number: Int = 0, clock: @escaping () -> Double = { Date().timeIntervalSince1970 }
    )
        throws
    {
        self.clock = clock
        try Files.makeFolder(folder)
        let identity = ProcessIdentity.current
        // A host name may contain characters that paths must not.
        let host = String(identity.host.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? $0 : "_" })
        let name = "events.out.tfevents.\(Int(clock())).\(host).\(identity.number).\(number)"
        file = try AppendedFile(Files.path(folder, name))
        try write { $0.string(3, "brain.Event:2") }
    }

    /// Data from this step on replaces what earlier files contain.
    package func restart(at step: Int) throws {
        try write {
            $0.integer(2, step)
            // SessionLog.START
            $0.message(7) { $0.integer(1, 1) }
        }
    }

    package func add(_ values: [(tag: String, value: Value)], step: Int) throws {
        guard !values.isEmpty else { return }
        try write { event in
            event.integer(2, step)
            event.message(5) { summary in
                for (tag, value) in values {
                    summary.message(1) { message in
                        message.string(1, tag)
                        switch value {
                        case .scalar(let number): message.float(2, Float(number))
                        case .image(let png, let width, let height):
                            message.message(4) { image in
                                image.integer(1, height)
                                image.integer(2, width)
                                // RGB
                                image.integer(3, 3)
                                png.withUnsafeBytes { image.bytes(4, $0) }
                            }
                        case .histogram(let histogram): message.message(5) { histogram.write(to: &$0) }
                        }
                    }
                }
            }
        }
    }

    package func sync() throws { try file.sync() }

    private func write(_ fields: (inout ProtobufWriter) -> Void) throws {
        let time = clock()
        let data = ProtobufWriter.encode { event in
            event.double(1, time)
            fields(&event)
        }
        try file.append(Self.frame(data))
    }

    package static func frame(_ data: Data) -> Data {
        func bytes<Number: FixedWidthInteger>(_ number: Number) -> Data {
            withUnsafeBytes(of: number.littleEndian) { Data($0) }
        }
        let length = bytes(UInt64(data.count))
        return length + bytes(CRC32C.masked(length)) + data + bytes(CRC32C.masked(data))
    }
}

/// The histogram of some numbers: buckets that grow by a tenth, as in TensorFlow.
package struct EventHistogram: Sendable {
    private var minimum = Double.infinity
    private var maximum = -Double.infinity
    private var count = 0.0
    private var sum = 0.0
    private var squares = 0.0
    private var buckets: [Double]

    /// Upper limits: …, -1e-12, 0, 1e-12, 1.1e-12, …, the largest number.
    private static let limits: [Double] = {
        var positive: [Double] = [], limit = 1e-12
        while limit < 1e20 {
            positive.append(limit)
            limit *= 1.1
        }
        positive.append(.greatestFiniteMagnitude)
        return positive.reversed().map { -$0 } + [0] + positive
    }()

    /// - Parameter values: those that are not finite are left out.
    package init(_ values: some Sequence<Float>) {
        buckets = Array(repeating: 0, count: Self.limits.count)
        for value in values where value.isFinite {
            let value = Double(value)
            minimum = min(minimum, value)
            maximum = max(maximum, value)
            count += 1
            sum += value
            squares += value * value
            buckets[Self.bucket(value)] += 1
        }
    }

    /// The first limit above the value.
    private static func bucket(_ value: Double) -> Int {
        var low = 0, high = limits.count - 1
        while low < high {
            let middle = (low + high) / 2
            if limits[middle] > value { high = middle } else { low = middle + 1 }
        }
        return low
    }

    func write(to message: inout ProtobufWriter) {
        guard count > 0 else { return }
        for (field, number) in [(1, minimum), (2, maximum), (3, count), (4, sum), (5, squares)] {
            message.double(UInt64(field), number)
        }
        // Empty buckets at both ends are dropped; one before the first is kept as its lower limit.
        let first = max(0, (buckets.firstIndex { $0 > 0 } ?? 0) - 1), last = buckets.lastIndex { $0 > 0 } ?? 0
        message.doubles(6, Array(Self.limits[first...last]))
        message.doubles(7, Array(buckets[first...last]))
    }
}

/// A growing file; each piece is written in one system call.
package final class AppendedFile {
    private let path: String
    private let descriptor: Int32

    package init(_ path: String) throws {
        self.path = path
        descriptor = Files.withPath(path) { open($0, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666) }
        guard descriptor >= 0 else {
            throw AnnealError(path, "cannot be written: \(String(cString: strerror(errno)))", code: .init(errno: errno))
        }
    }

    deinit { close(descriptor) }

    package func append(_ data: Data) throws {
        if let code = data.withUnsafeBytes({ Files.write($0, to: descriptor) }) {
            throw AnnealError(path, "cannot be written: \(String(cString: strerror(code)))", code: .ioFailure)
        }
    }

    package func sync() throws { try Files.sync(descriptor, path) }
}

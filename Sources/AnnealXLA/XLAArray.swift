import AnnealCompiler
import AnnealCore

/// An array in the memory of each device, with channels last. `read` and `write` convert from and to the host's plain
/// order.
final class XLAArray: EngineArray {
    let shape: Shape
    private let engine: XLAEngine
    private var buffers: [PJRTBuffer?]

    init(_ shape: Shape, engine: XLAEngine) {
        self.shape = shape
        self.engine = engine
        buffers = engine.devices.map { _ in nil }
    }

    /// The array as an argument of executions; zeros at first.
    /// - Parameter device: its number in the engine.
    func current(_ device: Int = 0) throws -> PJRTBuffer {
        if let buffer = buffers[device] { return buffer }
        let zeros = [Float](repeating: 0, count: shape.count)
        let made = try engine.upload(zeros, Order.channelsLast(shape.dims), to: device)
        buffers[device] = made
        return made
    }

    /// Takes over the new value that an execution has written over the old one.
    func replace(_ new: PJRTBuffer, on device: Int) { buffers[device] = new }

    func read() throws -> Tensor {
        Tensor(shape, HostOrder.plain(try engine.download(try current(), shape.count), shape))
    }

    func write(_ tensor: Tensor) throws {
        let elements = HostOrder.channelsLast(tensor.elements, shape)
        for device in buffers.indices {
            buffers[device] = try engine.upload(elements, Order.channelsLast(shape.dims), to: device)
        }
    }

    func release() { buffers = buffers.map { _ in nil } }

    func isFinite() throws -> Bool { try engine.download(try current(), shape.count).allSatisfy(\.isFinite) }
}

/// Converts arrays on the host between plain and channels-last order.
package enum HostOrder {
    package static func channelsLast(_ elements: [Float], _ shape: Shape) -> [Float] {
        exchanged(elements, shape, toPlain: false)
    }
    package static func plain(_ elements: [Float], _ shape: Shape) -> [Float] {
        exchanged(elements, shape, toPlain: true)
    }

    private static func exchanged(_ elements: [Float], _ shape: Shape, toPlain: Bool) -> [Float] {
        let channels = shape.rank < 3 ? 1 : shape[1], positions = shape.dims.dropFirst(2).reduce(1, *)
        guard channels > 1, positions > 1 else { return elements }
        let (rows, columns) = toPlain ? (positions, channels) : (channels, positions)
        return [Float](unsafeUninitializedCapacity: elements.count) { target, count in
            for first in stride(from: 0, to: elements.count, by: rows * columns) {
                for row in 0..<rows {
                    for column in 0..<columns {
                        target[first + column * rows + row] = elements[first + row * columns + column]
                    }
                }
            }
            count = elements.count
        }
    }
}

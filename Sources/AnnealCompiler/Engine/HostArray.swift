import AnnealCore
import AnnealGraph

/// An array of an engine made of kernels: a part of an arena, in one of the engine's layouts.
package final class HostArray: EngineArray {
    package let shape: Shape
    package let layout: Layout
    package let memory: UnsafeMutablePointer<Float>
    /// Floats in memory, padding included.
    package let count: Int
    private let arena: Arena
    private let engine: any KernelEngine

    private init(_ value: Program.Value, offset: Int, in arena: Arena, engine: any KernelEngine) {
        shape = value.shape
        layout = value.layout
        memory = arena.base + offset
        count = value.layout.elements(value.shape)
        self.arena = arena
        self.engine = engine
    }

    /// Arrays for values, allocated in one block.
    package static func make(_ values: [Program.Value], engine: any KernelEngine) throws -> [HostArray] {
        var size = 0
        let offsets = values.map { value in
            defer { size += MemoryPlan.aligned(value.layout.elements(value.shape)) }
            return size
        }
        let arena = try engine.allocate(size)
        return zip(values, offsets).map { HostArray($0, offset: $1, in: arena, engine: engine) }
    }

    package func read() throws -> Tensor { try engine.read(memory, shape: shape, layout: layout) }

    package func write(_ tensor: Tensor) throws { try engine.write(tensor, to: memory, layout: layout) }

    package func release() { Arena.release(memory, count) }

    package func isFinite() -> Bool {
        // NaN and infinities have all exponent bits set. Padding is zero.
        var broken: UInt32 = 0
        for i in 0..<count { broken |= (memory[i].bitPattern & 0x7f80_0000) == 0x7f80_0000 ? 1 : 0 }
        return broken == 0
    }
}

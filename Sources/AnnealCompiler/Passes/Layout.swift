import AnnealCore

/// The order of a value's elements in memory.
public enum Layout: Hashable, Sendable {
    /// Row-major, as in MXNet's files and as users see it.
    case plain
    /// Channels (axis 1) in blocks of 8 or 16, innermost; the last block is padded with zeros.
    case blocked(Int)
    /// Weights in an order that only the engine knows.
    case opaque(OpaqueLayout)

    /// Channels per block; 1 without blocks.
    public var block: Int {
        if case .blocked(let block) = self { block } else { 1 }
    }

    /// Floats in memory, padding included.
    public func elements(_ shape: Shape) -> Int {
        switch self {
        case .plain: return shape.count
        case .blocked(let block):
            return shape.count / shape[1] * ((shape[1] + block - 1) / block * block)
        case .opaque(let layout): return layout.elements
        }
    }

    /// Whether both are the same memory: blocked channels with one spatial position are plain.
    public func isSameMemory(as other: Layout, _ shape: Shape) -> Bool {
        if self == other { return true }
        guard case .opaque = self else {
            guard case .opaque = other else {
                let onePosition = shape.rank >= 2 && shape.dims.dropFirst(2).allSatisfy { $0 == 1 }
                return onePosition && shape[1] % self.block == 0 && shape[1] % other.block == 0
            }
            return false
        }
        return false
    }
}

/// An order of elements that only its engine can read and write.
public protocol EngineLayout: AnyObject, Sendable {
    /// Floats in memory, padding included.
    var elements: Int { get }
    func isEqual(_ other: any EngineLayout) -> Bool
}

/// A layout of which the compiler knows only the size.
public struct OpaqueLayout: Hashable, Sendable {
    public let layout: any EngineLayout

    public init(_ layout: any EngineLayout) { self.layout = layout }

    public var elements: Int { layout.elements }

    public static func == (a: OpaqueLayout, b: OpaqueLayout) -> Bool {
        a.layout === b.layout || a.layout.isEqual(b.layout)
    }
    public func hash(into hasher: inout Hasher) { hasher.combine(elements) }
}

import AnnealCore

/// MXNet's `BilinearSampler` (Jaderberg et al. 2015): data (batch, channels, height, width) sampled at the points of
/// `grid` (batch, 2, height', width'), x and y in -1 … 1 from edge to edge; zero outside.
public struct BilinearSampler: SymbolOperator {
    public static let name = "BilinearSampler"
    public init(_ attributes: inout AttributeReader) throws { attributes.ignore("cudnn_off") }

    public var inputNames: [String] { ["data", "grid"] }
    /// MXNet's files count a scratch array as an output.
    public var storedOutputCount: Int { 2 }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0], let grid = inputs[1] else { return nil }
        guard data.rank == 4, grid.rank == 4, grid[0] == data[0], grid[1] == 2 else {
            throw AnnealError(
                "", "data is \(data), grid is \(grid); they must be (batch, channels, …) and (batch, 2, …)")
        }
        return [[data[0], data[1], grid[2], grid[3]]]
    }

    public var backward: [BackwardPart] {
        [BackwardPart(reads: [.input(0), .input(1), .outputGradient(0)], writes: [0, 1])]
    }
}

/// MXNet's `GridGenerator`: the points for a `BilinearSampler`, from affine maps (batch, 6) for a grid of `target_shape`, or
/// from the displacements in pixels of `warp` (batch, 2, height, width).
public struct GridGenerator: SymbolOperator {
    public enum Transform: String, CaseIterable, Sendable { case affine, warp }
    public static let name = "GridGenerator"
    public let transform: Transform
    public let targetShape: [Int]

    public init(_ attributes: inout AttributeReader) throws {
        transform = try attributes.choice("transform_type", default: nil)
        targetShape = try attributes.tuple("target_shape") ?? [0, 0]
        guard targetShape.count == 2, transform == .warp || targetShape.allSatisfy({ $0 > 0 }) else {
            throw attributes.wrong("target_shape", "\(targetShape)", "height and width")
        }
    }

    /// MXNet's files count the untransformed grid as an output.
    public var storedOutputCount: Int { 2 }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        if transform == .affine {
            guard data.rank == 2, data[1] == 6 else {
                throw AnnealError("", "data has the shape \(data), it must be (batch, 6)")
            }
            return [[data[0], 2, targetShape[0], targetShape[1]]]
        }
        guard data.rank == 4, data[1] == 2 else {
            throw AnnealError("", "data has the shape \(data), it must be (batch, 2, height, width)")
        }
        return [data]
    }

    public var backward: [BackwardPart] { [BackwardPart(reads: [.outputGradient(0)], writes: [0])] }
}

import AnnealCore

/// MXNet's `sampler_type` and `transform_type` attributes: bilinear and affine are the only values.
enum Sampler: String, CaseIterable, Sendable { case bilinear }

/// MXNet's `SpatialTransformer` (Jaderberg et al. 2015): data (batch, channels, height, width) sampled bilinearly at the
///  points to which the affine map `loc` (batch, 6) sends a grid of `target_shape`; zero outside.
public struct SpatialTransformer: SymbolOperator {
    enum Transform: String, CaseIterable { case affine }

    public static let name = "SpatialTransformer"
    /// Height and width of the output.
    public let targetShape: [Int]

    public init(_ attributes: inout AttributeReader) throws {
        targetShape = try attributes.tuple("target_shape") ?? [0, 0]
        guard targetShape.count == 2, targetShape.allSatisfy({ $0 >= 0 }) else {
            throw attributes.wrong("target_shape", "\(targetShape)", "height and width")
        }
        let _: Transform = try attributes.choice("transform_type", default: nil)
        let _: Sampler = try attributes.choice("sampler_type", default: nil)
        attributes.ignore("cudnn_off")
    }

    public var inputNames: [String] { ["data", "loc"] }
    /// MXNet's files count the grid and the sampled points as outputs.
    public var storedOutputCount: Int { 3 }

    public func inferShapes(_ inputs: inout [Shape?]) throws -> [Shape]? {
        guard let data = inputs[0] else { return nil }
        guard data.rank == 4 else {
            throw AnnealError("", "data has the shape \(data), it must be (batch, channels, height, width)")
        }
        try expect(&inputs[1], [data[0], 6], "loc")
        let size = zip(targetShape, data.dims.suffix(2)).map { $0 == 0 ? $1 : $0 }
        return [[data[0], data[1], size[0], size[1]]]
    }

    public var backward: [BackwardPart] {
        [BackwardPart(reads: [.input(0), .input(1), .outputGradient(0)], writes: [0, 1])]
    }
}

extension SymbolBuilder {
    /// - Parameters:
    ///   - data: (batch, channels, height, width)
    ///   - loc: (batch, 6), the affine maps row by row.
    public func spatialTransformer(
        _ data: Symbol, loc: Symbol, targetShape: [Int], name: String? = nil
    ) throws -> Symbol {
        try apply(
            SpatialTransformer.name, name: name, inputs: [data, loc],
            attributes: [
                "target_shape": AttributeText.tuple(targetShape), "transform_type": "affine",
                "sampler_type": "bilinear",
            ])
    }
}

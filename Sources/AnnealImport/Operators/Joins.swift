import AnnealCore
import AnnealGraph

extension OperatorImport {
    static let joins: [String: Convert] = [
        "Concat": { site in
            guard let first = site.inputs.indices.first(where: { !site.isConstant($0) }) else {
                throw site.refusal("its inputs are constant")
            }
            let axis = try site.axis(site.int("axis", default: 1), of: site.rank(first))
            if site.inputs.indices.contains(where: site.isConstant) {
                return [try withConstants(site, axis, like: first)]
            }
            let inputs = try site.inputs.indices.map { try site.ordered($0) }
            let order = inputs[0].1, isSame = inputs.allSatisfy { $0.1 == order }
            let parts = isSame ? inputs.map(\.0) : try site.inputs.indices.map { try site.data($0) }
            let place = isSame ? order?[axis] ?? axis : axis
            return [
                try site.op("Concat", parts, ["num_args": "\(parts.count)", "dim": "\(place)"])
                    .value(isSame ? order : nil)
            ]
        },
        "Gather": { site in
            let shapes = try site.shapes(0), axis = try site.axis(site.int("axis", default: 0), of: shapes[0].rank)
            let indices = try site.constants(1, "its indices")
            // torch's new exporter takes each image from the batch by its index.
            if (0..<2).allSatisfy({ indices[$0].integers == Array(0..<shapes[$0][axis]) && indices[$0].rank == 1 }) {
                let (stored, order) = try site.ordered(0)
                return [stored.value(order)]
            }
            if axis == 0, (0..<2).allSatisfy({ indices[$0].integers == Array(0..<shapes[$0][0]) }) {
                return [
                    try site.reshape(
                        site.data(0), to: (0..<2).map { Shape(indices[$0].shape + shapes[$0].dims.dropFirst()) }
                    ).value
                ]
            }
            guard shapes[0][axis] == shapes[1][axis] else { throw site.refusal("it takes some of a batch's images") }
            let index = try site.constant(1, "its indices"), extent = shapes[0][axis]
            let places = index.integers.map { $0 < 0 ? $0 + extent : $0 }
            guard !places.isEmpty, places.allSatisfy((0..<extent).contains) else {
                throw site.refusal("an index is outside its axis of \(extent)")
            }
            return [try gathered(site, axis, places, index.shape)]
        },
    ]

    /// Constants are repeated for each image of the batch, e.g. ViT's class token.
    private static func withConstants(_ site: ImportSite, _ axis: Int, like first: Int) throws -> ImportedValue {
        let model = try site.data(first)
        let parts = try site.inputs.indices.map { index -> Stored in
            guard site.isConstant(index) else { return try site.data(index) }
            let shapes = try site.shapes(index), row = try site.fixedOrRow(index)
            guard axis > 0, shapes[0].rank == model.rank, shapes[0].dims.first == model.shape[0] else {
                // There is no batch axis in it: the data has none either.
                guard model.shapes[0] == model.shapes[1] || axis == 0 && shapes[0] == shapes[1] else {
                    throw site.refusal("a constant \(shapes[0]) is joined to \(model.shape)")
                }
                return site.parameter(row, index)
            }
            if model.shapes[0] == model.shapes[1], !site.isFixedBatch { return site.parameter(row, index) }
            let one = row.strided([1] + row.shape.dropFirst(), strides: ModelArray.strides(row.shape))
            guard let all = one.broadcast(row.shape), all.isEqual(row) else {
                throw site.refusal("a constant that differs between images is joined")
            }
            let parameter = site.parameter(one, index)
            return try site.op(
                "broadcast_like", [parameter, model], ["lhs_axes": "(0,)", "rhs_axes": "(0,)"], suffix: "_each")
        }
        return try site.op("Concat", parts, ["num_args": "\(parts.count)", "dim": "\(axis)"]).value
    }

    /// Picks indices along an axis; consecutive ones by slicing, since an array of indices among the parameters is not
    /// a weight.
    private static func gathered(_ site: ImportSite, _ axis: Int, _ places: [Int], _ shape: [Int]) throws
        -> ImportedValue
    {
        let data = try site.data(0)
        let step = places.count > 1 ? places[1] - places[0] : 1
        let isRun = step > 0 && places.indices.allSatisfy { places[$0] == places[0] + $0 * step }
        let taken: Stored
        if isRun {
            let whole = Array(repeating: "None", count: axis), end = places[0] + (places.count - 1) * step + 1
            taken = try site.sliced(
                data, begin: whole + ["\(places[0])"], end: whole + ["\(end)"], step: whole + ["\(step)"],
                suffix: "_slice")
        } else {
            let index = site.graph.parameter(
                "\(site.layer)_index", ModelArray([places.count], places.map { Float($0) }), isFrozen: true)
            taken = try site.op("take", [data, index], ["axis": "\(axis)", "mode": "clip"], suffix: "_take")
        }
        let shapes = data.shapes.map { Shape($0.dims[..<axis] + shape + $0.dims[(axis + 1)...]) }
        guard shapes[0].rank > 0 else { throw site.refusal("its output is a number without axes") }
        return try site.reshape(taken, to: shapes).value
    }
}

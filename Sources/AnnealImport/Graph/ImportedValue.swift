import AnnealCore
import AnnealGraph

/// An output of a node of the graph under construction, with its shapes for the two batch sizes that a model is traced
/// with.
struct Stored {
    let entry: Entry
    /// For the smaller and the larger batch.
    let shapes: [Shape]

    var rank: Int { shapes[0].rank }
    var shape: Shape { shapes[0] }
}

/// A value of a model that is read: known already, computed from the data, or unavailable.
enum ImportedValue {
    case constant(BatchConstant)
    /// Axis i of the value is axis `order[i]` of what is stored; nil if the order is the same. So transpositions are
    /// free until an operator needs the file's order.
    case computed(Stored, order: [Int]?)
    /// An earlier node that it depends on cannot be imported; the error is reported there.
    case failed

    /// The shapes in the file's order of axes, for both batch sizes.
    var shapes: [Shape]? {
        switch self {
        case .constant(let constant): return (0..<2).map { Shape(constant.array(batch: $0).shape) }
        case .computed(let stored, let order):
            guard let order else { return stored.shapes }
            return stored.shapes.map { shape in Shape(order.map { shape[$0] }) }
        case .failed: return nil
        }
    }
}

/// A constant, which may depend on the batch size, as shapes do.
struct BatchConstant {
    /// One array, or one for each batch size.
    private let arrays: [ModelArray]

    init(_ array: ModelArray) { arrays = [array] }

    init(_ first: ModelArray, _ second: ModelArray) {
        arrays = first.isEqual(second) ? [first] : [first, second]
    }

    func array(batch: Int) -> ModelArray { arrays[min(batch, arrays.count - 1)] }

    /// The array if it does not depend on the batch size.
    var fixed: ModelArray? { arrays.count == 1 ? arrays[0] : nil }

    /// For arrays whose rows, one per image, are all equal: one row; nil for others.
    var row: ModelArray? {
        guard arrays.count == 2 else { return nil }
        let rows = arrays.map { array -> ModelArray? in
            guard let images = array.shape.first, images > 0 else { return nil }
            let row = Array(array.shape.dropFirst()), strides = ModelArray.strides(array.shape)
            let first = array.strided([1] + row, strides: strides)
            return first.broadcast(array.shape)?.isEqual(array) == true ? first : nil
        }
        guard let first = rows[0], let second = rows[1], first.isEqual(second) else { return nil }
        return first
    }
}

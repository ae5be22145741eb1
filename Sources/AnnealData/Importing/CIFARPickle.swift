import AnnealCore
import Foundation

/// CIFAR's Python version: pickled dictionaries with NumPy byte arrays.
extension CIFARDataset {
    private static let vocabulary = PickleVocabulary(
        makers: ["numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct", "numpy dtype"],
        names: ["numpy ndarray"], content: "CIFAR's batches", suggestion: "use the archive as published")

    /// A batch: `data` of shape (images, 3072), and labels.
    static func readPickle(
        _ bytes: [UInt8], _ kind: Kind, _ place: String, _ labels: inout [UInt8], _ pixels: inout [UInt8]
    ) throws {
        let (pickle, batch) = try read(bytes, place)
        guard let data = pickle.value("data", of: batch).flatMap({ rows(of: $0, pickle) }),
            let found = pickle.value(kind.labelsKey, of: batch).flatMap(pickle.integers),
            data.count == 3 * area * found.count, found.allSatisfy({ (0..<kind.classes).contains($0) })
        else {
            throw AnnealError(place, "is not a batch of \(kind.rawValue)", code: .damaged)
        }
        labels += found.map { UInt8($0) }
        pixels += data
    }

    static func pickledNames(_ bytes: [UInt8], _ kind: Kind, _ place: String) throws -> [String] {
        let (pickle, names) = try read(bytes, place)
        return pickle.value(kind.namesKey, of: names).flatMap(pickle.elements)?.compactMap(pickle.text) ?? []
    }

    private static func read(_ bytes: [UInt8], _ place: String) throws -> (PickleReader, PickleValue) {
        var reader = PickleReader(Data(bytes), vocabulary)
        do {
            let value = try reader.next()
            return (reader, value)
        } catch let error as AnnealError {
            throw error.within(place)
        }
    }

    /// The bytes of an array of shape (images, 3072), image by image; nil for anything else. NumPy creates it empty,
    /// then sets its state: version, shape, type, whether it is column-major, bytes.
    private static func rows(of value: PickleValue, _ pickle: PickleReader) -> [UInt8]? {
        guard case .object(let index) = value, pickle.objects[index].maker.hasSuffix("_reconstruct"),
            let state = pickle.objects[index].state.flatMap(pickle.elements), state.count == 5,
            let shape = pickle.integers(state[1]), shape.count == 2, shape[1] == 3 * area,
            case .object(let type) = state[2], pickle.objects[type].maker == "numpy dtype",
            pickle.objects[type].arguments.first.flatMap(pickle.text) == "u1",
            case .bool(let isByColumns) = state[3], case .bytes(let data) = state[4],
            data.count % shape[1] == 0, data.count / shape[1] == shape[0]
        else { return nil }
        let bytes = [UInt8](data), images = shape[0]
        guard isByColumns else { return bytes }
        return (0..<bytes.count).map { bytes[$0 % shape[1] * images + $0 / shape[1]] }
    }
}

import AnnealCore

/// A record that could not be used, and why.
public struct BadRecord: Sendable, Equatable {
    /// The record's number in the file, from 0.
    public var number: Int
    /// Its `IRHeader.id`; nil when not even the header could be read.
    public var id: UInt64?
    /// Where it starts in the file.
    public var offset: Int
    public var reason: AnnealError
}

/// What became of one sample.
enum SampleResult: Sendable {
    case ready
    /// Damaged: skipped when asked.
    case bad(BadRecord)
    /// Wrong for every epoch and policy, e.g. a label out of range.
    case failed(AnnealError)
}

/// One thread's way of a sample: record, header, labels, decoded and augmented image, row of the ring.
final class SampleReader {
    private let file: RecordFile
    private let options: LoaderOptions
    private let decoder: ImageDecoder
    private var payload: [UInt8] = []

    init(file: RecordFile, options: LoaderOptions) throws {
        self.file = file
        self.options = options
        decoder = try ImageDecoder()
    }

    func read(record number: Int, epoch: Int, into ring: PixelRing, row: Int) -> SampleResult {
        var id: UInt64?
        do {
            try file.read(number, into: &payload)
            var imageStart = 0
            let header = try IRHeader(payload, imageStart: &imageStart)
            id = header.id
            let labels: [Float]
            do {
                labels = try self.labels(of: header)
            } catch let error as AnnealError {
                return .failed(placed(error, number, id))
            }
            let channels = Image.Channels(rawValue: options.dataShape[0]) ?? .rgb
            let decoded = try decoder.decode(payload, from: imageStart, as: channels)
            var random = Random(seed: options.seed, purpose: .augment, epoch: epoch, index: number)
            let result = try options.augmentation.applied(
                to: decoded, height: options.dataShape[1], width: options.dataShape[2], random: &random)
            ring.store(result.image, mirrored: result.mirrored, labels: labels, in: row)
            return .ready
        } catch let error as AnnealError {
            return .bad(
                BadRecord(
                    number: number, id: id, offset: file.entries[number].offset, reason: placed(error, number, id)))
        } catch {
            return .failed(placed(AnnealError("", "\(error)"), number, id))
        }
    }

    private func labels(of header: IRHeader) throws -> [Float] {
        var labels = header.labels
        if let table = options.labels {
            guard let listed = table[header.id] else {
                throw AnnealError("", "its id \(header.id) is not in the list of labels")
            }
            labels = listed
        }
        guard labels.count == options.labelWidth else {
            throw AnnealError("", "it has \(labels.count) labels, \(options.labelWidth) are wanted")
        }
        if let classes = options.numClasses, options.labelWidth == 1 {
            guard labels[0] >= 0, labels[0] < Float(classes) else {
                throw AnnealError(
                    "", "its label \(labels[0]) is outside 0 ..< \(classes)", mend: "is the number of classes right?")
            }
        }
        return labels
    }

    /// Errors of the file already name it and the byte; the others get the record's place.
    private func placed(_ error: AnnealError, _ number: Int, _ id: UInt64?) -> AnnealError {
        let entry = file.entries[number]
        let name = id.map { "record \(number) (id \($0))" } ?? "record \(number)"
        let place = "\(file.path), \(name), byte \(entry.offset)"
        return error.place.isEmpty ? error.within(place) : AnnealError(place, "\(error)")
    }
}

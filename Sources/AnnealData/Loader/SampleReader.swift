import AnnealCore

/// A record or image file that could not be used, and why.
public struct BadRecord: Sendable, Equatable {
    /// Its number in the source, from 0.
    public var number: Int
    /// A record's `IRHeader.id`; nil when not even the header could be read.
    public var id: UInt64?
    /// Where it starts in its file.
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

/// One thread's way of a sample: its bytes, labels, decoded and augmented image, row of the ring.
final class SampleReader {
    private let source: any SampleSource
    private let options: LoaderOptions
    private let decoder: ImageDecoder
    private var payload: [UInt8] = []

    init(source: any SampleSource, options: LoaderOptions) throws {
        self.source = source
        self.options = options
        decoder = try ImageDecoder()
    }

    func read(sample number: Int, epoch: Int, into ring: PixelRing, row: Int) -> SampleResult {
        var id: UInt64?
        do {
            let header = try source.readSample(number, into: &payload)
            id = header.id
            let labels: [Float]
            do {
                labels = try self.labels(of: header)
            } catch let error as AnnealError {
                return .failed(placed(error, number, id))
            }
            let channels = Image.Channels(rawValue: options.dataShape[0]) ?? .rgb
            var decoded = try decoder.decode(payload, from: header.imageStart, as: channels)
            if source.turnsUpright { decoded = decoded.turned(by: ExifOrientation.of(payload)) }
            let result = try options.augmentation.applied(
                to: decoded, height: options.dataShape[1], width: options.dataShape[2],
                normalization: options.normalization, key: .init(seed: options.seed, epoch: epoch, sample: number))
            ring.store(result.image, mirrored: result.mirrored, labels: labels, in: row)
            return .ready
        } catch let error as AnnealError {
            return .bad(
                BadRecord(
                    number: number, id: id, offset: source.offset(of: number), reason: placed(error, number, id)))
        } catch {
            return .failed(placed(AnnealError("", "\(error)"), number, id))
        }
    }

    private func labels(of header: SampleHeader) throws -> [Float] {
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
                    "", "its label \(labels[0]) is outside 0 ..< \(classes)",
                    suggestion: "is the number of classes right?")
            }
        }
        return labels
    }

    /// Errors of the file already name it and the byte; the others get the sample's place.
    private func placed(_ error: AnnealError, _ number: Int, _ id: UInt64?) -> AnnealError {
        let place = source.place(of: number, id: id)
        if error.place.hasPrefix(place) { return error }
        return error.place.isEmpty ? error.within(place) : AnnealError(place, "\(error)")
    }
}

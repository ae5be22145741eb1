import Anneal

/// What a data flag names: records, or a folder of classes.
struct ImageData {
    enum Purpose: String { case training, validation }

    var source: any SampleSource
    /// The classes by label: those that were given, else a folder's own; nil for records without names.
    let classNames: [String]?
    /// nil for records.
    let folders: ClassFolders?
    /// The validation part of the data set, if the flag names a whole one.
    let validationPath: String?
    /// From its images' headers.
    let survey: ImageSurvey
    /// For the beginning of the log.
    private(set) var notes: [FitEvent] = []

    /// - Parameters:
    ///   - flag: the flag that named the path, for messages.
    ///   - classNames: the classes by label, if known; folders are matched to them.
    ///   - classes: the network's number of classes; nil if the data decides.
    ///   - maximumPixels: the maximum number of pixels in an image.
    ///   - policy: how unusable records are treated: if they are skipped, the intact records of a damaged file are
    ///     used.
    init(
        _ path: String, index: String?, flag: String, classNames: [String]?, classes: Int? = nil, maximumPixels: Int,
        policy: BadRecordPolicy, for purpose: Purpose
    ) throws {
        guard Files.isFolder(path) else {
            let opened = try RecordFile.opened(path, index: index, onBadRecord: policy), records = opened.file
            source = records
            self.classNames = classNames
            folders = nil
            validationPath = nil
            // Records are read in random order, so fewer of them.
            survey = .headers(of: source, limit: records.isLarge ? 32 : 500)
            if let damage = opened.damage {
                notes = [.warning("\(damage)")]
            } else if let problem = records.ignoredIndex {
                notes = [
                    .warning("\(FilePath(path)) was scanned because the index next to it cannot be used: \(problem)")
                ]
            }
            return
        }
        guard index == nil else {
            throw UsageError("\(flag)-idx", "is the index of records, \(path) is a folder", suggestion: "leave it out")
        }
        let parts = try DataParts(FilePath(path))
        let chosen = try parts.map { try Self.part(purpose, of: $0, flag) } ?? FilePath(path)
        validationPath = purpose == .training ? parts?.validation?.text : nil
        let folders = try ClassFolders(chosen)
        try folders.check(allowsEmpty: purpose == .validation)
        if classNames == nil, let classes, !folders.isNumbered || folders.classes.count != classes {
            throw UsageError(
                "\(flag) \(chosen)",
                "has \(folders.classes.count.counted("class")), but the network has \(classes), and the model's record has no class names to match them by",
                suggestion: "give --class-names FILE with the \(classes) names in the order of the labels")
        }
        var files = try ImageFiles(folders, classNames: classNames)
        files.maximumPixels = maximumPixels
        source = files
        self.classNames = files.classNames
        self.folders = folders
        survey = .headers(of: files)
        notes = Self.notes(purpose, folders, parts, chosen)
    }

    /// Used in place of data for --benchmark 1.
    private init(synthetic source: NoSamples, classNames: [String]?) {
        self.source = source
        self.classNames = classNames
        (folders, validationPath, survey) = (nil, nil, ImageSurvey())
    }

    static func synthetic(classNames: [String]?) throws -> ImageData {
        ImageData(synthetic: try NoSamples(count: 1), classNames: classNames)
    }

    private static func part(_ purpose: Purpose, of parts: DataParts, _ flag: String) throws -> FilePath {
        if let part = purpose == .training ? parts.training : parts.validation { return part }
        let there = [parts.training, parts.validation, parts.test].compactMap { $0 }
        throw UsageError(
            "\(flag) \(parts.path)",
            "has no part for \(purpose.rawValue), only \(there.map(\.name.description).joined(separator: ", "))",
            suggestion: there.last.map { "name a folder of classes, e.g. \(flag) \($0)" })
    }

    private static func notes(_ purpose: Purpose, _ folders: ClassFolders, _ parts: DataParts?, _ chosen: FilePath)
        -> [FitEvent]
    {
        var notes: [FitEvent] = []
        if let parts {
            let uses = [
                "\(purpose.rawValue) is on \(chosen)",
                purpose == .training ? parts.validation.map { "\($0) validates unless --data-val is given" } : nil,
                purpose == .training ? parts.test.map { "\($0) is not used" } : nil,
            ]
            notes.append(.note("\(parts.path) has parts: \(uses.compactMap { $0 }.joined(separator: "; "))"))
            if let strays = parts.strayDescription {
                notes.append(.warning("\(parts.path): \(strays)"))
            }
        }
        if !folders.passedOver.isEmpty {
            let text = "\(chosen): \(folders.passedOver)"
            notes.append(folders.passedOver.isHarmless ? .note(text) : .warning(text))
        }
        return notes
    }

    /// A description of the images, class by class for a folder.
    func contents(_ purpose: Purpose) -> FitEvent {
        let what = source.count.counted("\(purpose.rawValue) image")
        let looked = survey.count < source.count ? "of \(survey.count) examined: " : ""
        let images = survey.sizes.isEmpty ? "" : "; \(looked)\(survey.summary)"
        guard folders != nil, let classNames else { return .note(what + images) }
        let counts = source.classCounts(classNames.count)
        let shown = zip(classNames, counts).prefix(40).map { "\($0) \($1)" } + (counts.count > 40 ? ["…"] : [])
        return .note("\(what) in \(counts.count.counted("class")): \(shown.joined(separator: ", "))\(images)")
    }

    /// Warns if all examined images have the same class; nil if there are several.
    var classNote: FitEvent? {
        guard survey.count > 1, survey.classCounts.count == 1, let label = survey.classCounts.keys.first
        else { return nil }
        let name = classNames.flatMap { $0.indices.contains(label) ? ", '\($0[label])'" : nil } ?? ""
        let which =
            survey.count < source.count ? "all of \(survey.count) training images examined" : "all training images"
        return .warning(
            "\(which) are of class \(label)\(name): a network learns nothing from them; it needs several classes")
    }

    /// Refuses a folder with unreadable images, or, if those are skipped, with a class that has no readable image.
    func checkImages(_ policy: BadRecordPolicy) throws {
        guard folders != nil, let first = survey.bad.first else { return }
        if policy == .abort {
            let more =
                survey.bad.count > 1
                ? "; \(survey.bad.count - 1) more of \(survey.count) images examined cannot be used" : ""
            throw AnnealError(
                first.reason.place, first.reason.problem + more,
                suggestion: first.reason.suggestion
                    ?? "anneal check lists all bad images, --on-bad-record skip leaves them out")
        }
        guard survey.count == source.count, let classNames else { return }
        for (label, count) in source.classCounts(classNames.count).enumerated() where count > 0 {
            guard survey.classCounts[label] == nil,
                let bad = try survey.bad.first(where: { try source.classLabel(of: $0.number) == Float(label) })
            else { continue }
            throw AnnealError(
                "the class '\(classNames[label])'", "has no usable image; the first of \(count): \(bad.reason)",
                suggestion: "replace its images")
        }
    }

    /// What happens to images larger than the network's input; nil if there are none.
    ///
    /// - Parameters:
    ///   - isOwnRule: whether no flag said how they are resized.
    ///   - purpose: what the images are for, if that is to be mentioned.
    func sizeNote(_ preprocessing: Preprocessing, isOwnRule: Bool, of purpose: Purpose? = nil) -> FitEvent? {
        let (height, width) = (preprocessing.imageShape[1], preprocessing.imageShape[2])
        guard let range = survey.sizeRange, survey.longestShortSide > min(height, width) else { return nil }
        let share = survey.shareShown(height: height, width: width)
        let what = (purpose.map { "\($0.rawValue) " } ?? "") + "images"
        if let side = preprocessing.resize {
            guard isOwnRule, folders != nil else { return nil }
            return .note(
                "\(what.prefix(1).uppercased() + what.dropFirst()) (\(range)) are larger than \(width)x\(height): their shorter side is resized to \(side) before the crop (--resize 0 crops them as they are)"
            )
        }
        guard share < 0.5 else { return nil }
        return .warning(
            "\(what) (\(range)) are cropped to their centre, \(width)x\(height) or \(String(format: "%.2g", 100 * share)) % of the area: --resize \(min(height, width)) shows more of them"
        )
    }

    /// Its first words in a command without a log.
    func printNotes(_ preprocessing: Preprocessing) {
        for note in notes + [sizeNote(preprocessing, isOwnRule: false)].compactMap({ $0 }) {
            switch note {
            case .note(let text): printError(text)
            case .warning(let text): printError("warning: \(text)")
            default: continue
            }
        }
    }
}

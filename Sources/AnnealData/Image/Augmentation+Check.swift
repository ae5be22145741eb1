import AnnealCore

extension Augmentation {
    /// - Parameter channels: of the images to be augmented.
    /// - Throws: `AnnealError` naming the invalid setting by its flag.
    public func check(channels: Int) throws {
        try demand((0...1 << 16).contains(resize), "--resize", "is \(resize)", "it must be 0 to 65536 pixels")
        try demand((0...1 << 12).contains(pad), "--pad-size", "is \(pad)", "it must be 0 to 4096 pixels")
        if let cropSize {
            try demand(
                cropSize.lowerBound > 0 && cropSize.upperBound <= 1 << 16, "--min-crop-size and --max-crop-size",
                "are \(cropSize.lowerBound) and \(cropSize.upperBound)", "they must be 1 to 65536 pixels")
        }
        try demand(
            (-360...360).contains(affine.rotation.lowerBound) && (-360...360).contains(affine.rotation.upperBound),
            "--max-random-rotate-angle", "is \(affine.rotation.upperBound)", "it must be 0 to 360 degrees")
        try demand(
            (0...10).contains(affine.shear), "--max-random-shear-ratio", "is \(affine.shear)", "it must be 0 to 10")
        for (flag, range) in [
            ("random-scale", affine.scale), ("random-aspect-ratio", affine.aspect),
            ("random-aspect-ratio", resizedCrop?.ratio ?? 1...1), ("random-area", resizedCrop?.area ?? 1...1),
        ] {
            let most: Float = flag == "random-area" ? 1 : 100
            try demand(
                range.lowerBound > 0 && range.upperBound <= most, "--min-\(flag) and --max-\(flag)",
                "span \(range.lowerBound) to \(range.upperBound)", "they must be above 0 and at most \(Int(most))")
        }
        if resizedCrop != nil {
            try demand(
                !randomCrop && cropSize == nil && affine.scale == 1...1, "--random-resized-crop",
                "excludes --random-crop, the crop sizes and the random scales, as in MXNet", "give one of them")
        }
        try checkColours(channels)
        try demand(
            (0...1).contains(erasing.probability), "--random-erasing", "is \(erasing.probability)",
            "it must be a probability, 0 to 1")
        try demand(
            erasing.area.lowerBound >= 0 && erasing.area.upperBound <= 1 && erasing.ratio.lowerBound > 0
                && erasing.ratio.upperBound.isFinite, "random erasing",
            "has the areas \(erasing.area) and the ratios \(erasing.ratio)", "areas are 0 to 1, ratios positive")
        try demand(
            (0...1 << 16).contains(erasing.cutout), "--cutout", "is \(erasing.cutout)", "it must be 0 to 65536 pixels")
    }

    private func checkColours(_ channels: Int) throws {
        let amounts: [(String, Float)] = [
            ("--brightness", colour.brightness), ("--contrast", colour.contrast), ("--saturation", colour.saturation),
            ("--pca-noise", colour.pcaNoise),
        ]
        for (flag, amount) in amounts {
            try demand((0...100).contains(amount), flag, "is \(amount)", "it must be 0 to 100")
        }
        for (flag, amount, most) in [
            ("--max-random-h", colour.randomH, 180), ("--max-random-s", colour.randomS, 255),
            ("--max-random-l", colour.randomL, 255),
        ] {
            try demand((0...most).contains(amount), flag, "is \(amount)", "it must be 0 to \(most)")
        }
        try demand(
            colour.isIdentity || channels == 3 || (channels == 1 && !colour.wantsRGB),
            "--saturation, --max-random-h, -s, -l and --pca-noise",
            "change the colours of RGB images, but these have \(channels.counted("channel"))",
            "leave them out\(channels == 1 ? "" : ", --brightness and --contrast too")")
        try demand(
            !trivialAugment && randAugment == nil && autoAugment == nil || channels == 1 || channels == 3,
            "--trivial-augment, --rand-augment and --auto-augment",
            "are for RGB and gray images, but these have \(channels.counted("channel"))", "leave them out")
        try demand(
            [trivialAugment, randAugment != nil, autoAugment != nil].count { $0 } <= 1,
            "--trivial-augment, --rand-augment and --auto-augment", "are more than one", "give one of them")
        if let randAugment {
            try demand(
                (1...16).contains(randAugment.operations) && (0...30).contains(randAugment.magnitude),
                "--rand-augment", "is \(randAugment.operations),\(randAugment.magnitude)",
                "it is a number of operations, 1 to 16, and a strength, 0 to 30: 2,9 is usual")
        }
    }
}

private func demand(_ holds: Bool, _ flag: String, _ problem: @autoclosure () -> String, _ suggestion: String) throws {
    if !holds { throw AnnealError(flag, problem(), suggestion: suggestion) }
}

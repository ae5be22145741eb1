int anneal_image_stub;

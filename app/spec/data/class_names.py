"""What the classes of named data sets are called, in the order of their numbers."""


def _split_names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in " ".join(text.split()).split(","))


DIGITS = tuple("0123456789")
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
DIGITS_AND_LETTERS = (*DIGITS, *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", *LETTERS)
EMNIST_MERGED = (*DIGITS, *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", *"abdefghnqrt")  # other letters look alike, small and large
CIFAR10 = _split_names("airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck")
CIFAR100 = _split_names("""
    apple, aquarium_fish, baby, bear, beaver, bed, bee, beetle, bicycle, bottle, bowl, boy, bridge, bus, butterfly,
    camel, can, castle, caterpillar, cattle, chair, chimpanzee, clock, cloud, cockroach, couch, crab, crocodile,
    cup, dinosaur, dolphin, elephant, flatfish, forest, fox, girl, hamster, house, kangaroo, keyboard, lamp,
    lawn_mower, leopard, lion, lizard, lobster, man, maple_tree, motorcycle, mountain, mouse, mushroom, oak_tree,
    orange, orchid, otter, palm_tree, pear, pickup_truck, pine_tree, plain, plate, poppy, porcupine, possum, rabbit,
    raccoon, ray, road, rocket, rose, sea, seal, shark, shrew, skunk, skyscraper, snail, snake, spider, squirrel,
    streetcar, sunflower, sweet_pepper, table, tank, telephone, television, tiger, tractor, train, trout, tulip,
    turtle, wardrobe, whale, willow_tree, wolf, woman, worm""")
CIFAR100_COARSE = _split_names("""
    aquatic_mammals, fish, flowers, food_containers, fruit_and_vegetables, household_electrical_devices,
    household_furniture, insects, large_carnivores, large_man-made_outdoor_things, large_natural_outdoor_scenes,
    large_omnivores_and_herbivores, medium_mammals, non-insect_invertebrates, people, reptiles, small_mammals,
    trees, vehicles_1, vehicles_2""")
STL10 = _split_names("airplane, bird, car, cat, deer, dog, horse, monkey, ship, truck")
FASHION_MNIST = _split_names("T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot")
KMNIST = _split_names("o, ki, su, tsu, na, ha, ma, ya, re, wo")
EUROSAT = _split_names("""
    AnnualCrop, Forest, HerbaceousVegetation, Highway, Industrial, Pasture, PermanentCrop, Residential, River,
    SeaLake""")
IMAGENETTE = _split_names("""
    tench, English springer, cassette player, chain saw, church, French horn, garbage truck, gas pump, golf ball,
    parachute""")
GTSRB = _split_names("""
    20 km/h, 30 km/h, 50 km/h, 60 km/h, 70 km/h, 80 km/h, end of 80 km/h, 100 km/h, 120 km/h, no passing, no passing
    for lorries, right of way at the next crossing, priority road, give way, stop, no vehicles, no lorries, no
    entry, danger, curve to the left, curve to the right, double curve, rough road, slippery road, road narrows,
    road works, traffic lights, pedestrians, children, bicycles, ice or snow, wild animals, end of all limits, turn
    right, turn left, ahead only, ahead or right, ahead or left, keep right, keep left, roundabout, end of no
    passing, end of no passing for lorries""")
FLOWERS102 = _split_names("""
    pink primrose, hard-leaved pocket orchid, canterbury bells, sweet pea, english marigold, tiger lily, moon
    orchid, bird of paradise, monkshood, globe thistle, snapdragon, colt's foot, king protea, spear thistle, yellow
    iris, globe-flower, purple coneflower, peruvian lily, balloon flower, giant white arum lily, fire lily,
    pincushion flower, fritillary, red ginger, grape hyacinth, corn poppy, prince of wales feathers, stemless
    gentian, artichoke, sweet william, carnation, garden phlox, love in the mist, mexican aster, alpine sea holly,
    ruby-lipped cattleya, cape flower, great masterwort, siam tulip, lenten rose, barbeton daisy, daffodil, sword
    lily, poinsettia, bolero deep blue, wallflower, marigold, buttercup, oxeye daisy, common dandelion, petunia,
    wild pansy, primula, sunflower, pelargonium, bishop of llandaff, gaura, geranium, orange dahlia, pink-yellow
    dahlia?, cautleya spicata, japanese anemone, black-eyed susan, silverbush, californian poppy, osteospermum,
    spring crocus, bearded iris, windflower, tree poppy, gazania, azalea, water lily, rose, thorn apple, morning
    glory, passion flower, lotus, toad lily, anthurium, frangipani, clematis, hibiscus, columbine, desert-rose, tree
    mallow, magnolia, cyclamen, watercress, canna lily, hippeastrum, bee balm, ball moss, foxglove, bougainvillea,
    camellia, mallow, mexican petunia, bromelia, blanket flower, trumpet creeper, blackberry lily""")
OXFORD_PETS = _split_names("""
    Abyssinian, american_bulldog, american_pit_bull_terrier, basset_hound, beagle, Bengal, Birman, Bombay, boxer,
    British_Shorthair, chihuahua, Egyptian_Mau, english_cocker_spaniel, english_setter, german_shorthaired,
    great_pyrenees, havanese, japanese_chin, keeshond, leonberger, Maine_Coon, miniature_pinscher, newfoundland,
    Persian, pomeranian, pug, Ragdoll, Russian_Blue, saint_bernard, samoyed, scottish_terrier, shiba_inu, Siamese,
    Sphynx, staffordshire_bull_terrier, wheaten_terrier, yorkshire_terrier""")
FOOD101 = _split_names("""
    apple_pie, baby_back_ribs, baklava, beef_carpaccio, beef_tartare, beet_salad, beignets, bibimbap, bread_pudding,
    breakfast_burrito, bruschetta, caesar_salad, cannoli, caprese_salad, carrot_cake, ceviche, cheese_plate,
    cheesecake, chicken_curry, chicken_quesadilla, chicken_wings, chocolate_cake, chocolate_mousse, churros,
    clam_chowder, club_sandwich, crab_cakes, creme_brulee, croque_madame, cup_cakes, deviled_eggs, donuts,
    dumplings, edamame, eggs_benedict, escargots, falafel, filet_mignon, fish_and_chips, foie_gras, french_fries,
    french_onion_soup, french_toast, fried_calamari, fried_rice, frozen_yogurt, garlic_bread, gnocchi, greek_salad,
    grilled_cheese_sandwich, grilled_salmon, guacamole, gyoza, hamburger, hot_and_sour_soup, hot_dog,
    huevos_rancheros, hummus, ice_cream, lasagna, lobster_bisque, lobster_roll_sandwich, macaroni_and_cheese,
    macarons, miso_soup, mussels, nachos, omelette, onion_rings, oysters, pad_thai, paella, pancakes, panna_cotta,
    peking_duck, pho, pizza, pork_chop, poutine, prime_rib, pulled_pork_sandwich, ramen, ravioli, red_velvet_cake,
    risotto, samosa, sashimi, scallops, seaweed_salad, shrimp_and_grits, spaghetti_bolognese, spaghetti_carbonara,
    spring_rolls, steak, strawberry_shortcake, sushi, tacos, takoyaki, tiramisu, tuna_tartare, waffles""")
DTD = _split_names("""
    banded, blotchy, braided, bubbly, bumpy, chequered, cobwebbed, cracked, crosshatched, crystalline, dotted,
    fibrous, flecked, freckled, frilly, gauzy, grid, grooved, honeycombed, interlaced, knitted, lacelike, lined,
    marbled, matted, meshed, paisley, perforated, pitted, pleated, polka-dotted, porous, potholed, scaly, smeared,
    spiralled, sprinkled, stained, stratified, striped, studded, swirly, veined, waffled, woven, wrinkled, zigzagged""")
AIRCRAFT = _split_names("""
    707-320, 727-200, 737-200, 737-300, 737-400, 737-500, 737-600, 737-700, 737-800, 737-900, 747-100, 747-200,
    747-300, 747-400, 757-200, 757-300, 767-200, 767-300, 767-400, 777-200, 777-300, A300B4, A310, A318, A319, A320,
    A321, A330-200, A330-300, A340-200, A340-300, A340-500, A340-600, A380, ATR-42, ATR-72, An-12, BAE 146-200, BAE
    146-300, BAE-125, Beechcraft 1900, Boeing 717, C-130, C-47, CRJ-200, CRJ-700, CRJ-900, Cessna 172, Cessna 208,
    Cessna 525, Cessna 560, Challenger 600, DC-10, DC-3, DC-6, DC-8, DC-9-30, DH-82, DHC-1, DHC-6, DHC-8-100,
    DHC-8-300, DR-400, Dornier 328, E-170, E-190, E-195, EMB-120, ERJ 135, ERJ 145, Embraer Legacy 600, Eurofighter
    Typhoon, F-16A/B, F/A-18, Falcon 2000, Falcon 900, Fokker 100, Fokker 50, Fokker 70, Global Express, Gulfstream
    IV, Gulfstream V, Hawk T1, Il-76, L-1011, MD-11, MD-80, MD-87, MD-90, Metroliner, Model B200, PA-28, SR-20, Saab
    2000, Saab 340, Spitfire, Tornado, Tu-134, Tu-154, Yak-42""")
COUNTRIES = _split_names("""
    Andorra, United Arab Emirates, Afghanistan, Antigua and Barbuda, Anguilla, Albania, Armenia, Angola, Antarctica,
    Argentina, Austria, Australia, Aruba, Aland Islands, Azerbaijan, Bosnia and Herzegovina, Barbados, Bangladesh,
    Belgium, Burkina Faso, Bulgaria, Bahrain, Benin, Bermuda, Brunei, Bolivia, Bonaire, Brazil, Bahamas, Bhutan,
    Botswana, Belarus, Belize, Canada, DR Congo, Central African Republic, Switzerland, Ivory Coast, Cook Islands,
    Chile, Cameroon, China, Colombia, Costa Rica, Cuba, Cabo Verde, Curacao, Cyprus, Czech Republic, Germany,
    Denmark, Dominica, Dominican Republic, Algeria, Ecuador, Estonia, Egypt, Spain, Ethiopia, Finland, Fiji,
    Falkland Islands, Faeroe Islands, France, Gabon, United Kingdom, Grenada, Georgia, French Guiana, Guernsey,
    Ghana, Gibraltar, Greenland, Gambia, Guadeloupe, Greece, South Georgia, Guatemala, Guam, Guyana, Hong Kong,
    Honduras, Croatia, Haiti, Hungary, Indonesia, Ireland, Israel, Isle of Man, India, Iraq, Iran, Iceland, Italy,
    Jersey, Jamaica, Jordan, Japan, Kenya, Kyrgyzstan, Cambodia, St. Kitts and Nevis, North Korea, South Korea,
    Kuwait, Cayman Islands, Kazakhstan, Laos, Lebanon, St. Lucia, Liechtenstein, Sri Lanka, Liberia, Lithuania,
    Luxembourg, Latvia, Libya, Morocco, Monaco, Moldova, Montenegro, Saint-Martin, Madagascar, North Macedonia,
    Mali, Myanmar, Mongolia, Macau, Martinique, Mauritania, Malta, Mauritius, Maldives, Malawi, Mexico, Malaysia,
    Mozambique, Namibia, New Caledonia, Nigeria, Nicaragua, Netherlands, Norway, Nepal, New Zealand, Oman, Panama,
    Peru, French Polynesia, Papua New Guinea, Philippines, Pakistan, Poland, Puerto Rico, Palestine, Portugal,
    Palau, Paraguay, Qatar, Reunion, Romania, Serbia, Russia, Rwanda, Saudi Arabia, Solomon Islands, Seychelles,
    Sudan, Sweden, Singapore, St. Helena, Slovenia, Svalbard, Slovakia, Sierra Leone, San Marino, Senegal, Somalia,
    South Sudan, El Salvador, Sint Maarten, Syria, Eswatini, Togo, Thailand, Tajikistan, Timor-Leste, Turkmenistan,
    Tunisia, Tonga, Turkey, Trinidad and Tobago, Taiwan, Tanzania, Ukraine, Uganda, United States, Uruguay,
    Uzbekistan, Vatican, Venezuela, British Virgin Islands, US Virgin Islands, Vietnam, Vanuatu, Samoa, Kosovo,
    Yemen, South Africa, Zambia, Zimbabwe""")
CALTECH101 = _split_names("""
    Faces, Faces_easy, Leopards, Motorbikes, accordion, airplanes, anchor, ant, barrel, bass, beaver, binocular,
    bonsai, brain, brontosaurus, buddha, butterfly, camera, cannon, car_side, ceiling_fan, cellphone, chair,
    chandelier, cougar_body, cougar_face, crab, crayfish, crocodile, crocodile_head, cup, dalmatian, dollar_bill,
    dolphin, dragonfly, electric_guitar, elephant, emu, euphonium, ewer, ferry, flamingo, flamingo_head, garfield,
    gerenuk, gramophone, grand_piano, hawksbill, headphone, hedgehog, helicopter, ibis, inline_skate, joshua_tree,
    kangaroo, ketch, lamp, laptop, llama, lobster, lotus, mandolin, mayfly, menorah, metronome, minaret, nautilus,
    octopus, okapi, pagoda, panda, pigeon, pizza, platypus, pyramid, revolver, rhino, rooster, saxophone, schooner,
    scissors, scorpion, sea_horse, snoopy, soccer_ball, stapler, starfish, stegosaurus, stop_sign, strawberry,
    sunflower, tick, trilobite, umbrella, watch, water_lilly, wheelchair, wild_cat, windsor_chair, wrench, yin_yang""")
CALTECH256 = _split_names("""
    ak47, american-flag, backpack, baseball-bat, baseball-glove, basketball-hoop, bat, bathtub, bear, beer-mug,
    billiards, binoculars, birdbath, blimp, bonsai-101, boom-box, bowling-ball, bowling-pin, boxing-glove,
    brain-101, breadmaker, buddha-101, bulldozer, butterfly, cactus, cake, calculator, camel, cannon, canoe,
    car-tire, cartman, cd, centipede, cereal-box, chandelier-101, chess-board, chimp, chopsticks, cockroach,
    coffee-mug, coffin, coin, comet, computer-keyboard, computer-monitor, computer-mouse, conch, cormorant,
    covered-wagon, cowboy-hat, crab-101, desk-globe, diamond-ring, dice, dog, dolphin-101, doorknob, drinking-straw,
    duck, dumb-bell, eiffel-tower, electric-guitar-101, elephant-101, elk, ewer-101, eyeglasses, fern, fighter-jet,
    fire-extinguisher, fire-hydrant, fire-truck, fireworks, flashlight, floppy-disk, football-helmet, french-horn,
    fried-egg, frisbee, frog, frying-pan, galaxy, gas-pump, giraffe, goat, golden-gate-bridge, goldfish, golf-ball,
    goose, gorilla, grand-piano-101, grapes, grasshopper, guitar-pick, hamburger, hammock, harmonica, harp,
    harpsichord, hawksbill-101, head-phones, helicopter-101, hibiscus, homer-simpson, horse, horseshoe-crab,
    hot-air-balloon, hot-dog, hot-tub, hourglass, house-fly, human-skeleton, hummingbird, ibis-101, ice-cream-cone,
    iguana, ipod, iris, jesus-christ, joy-stick, kangaroo-101, kayak, ketch-101, killer-whale, knife, ladder,
    laptop-101, lathe, leopards-101, license-plate, lightbulb, light-house, lightning, llama-101, mailbox, mandolin,
    mars, mattress, megaphone, menorah-101, microscope, microwave, minaret, minotaur, motorbikes-101, mountain-bike,
    mushroom, mussels, necktie, octopus, ostrich, owl, palm-pilot, palm-tree, paperclip, paper-shredder, pci-card,
    penguin, people, pez-dispenser, photocopier, picnic-table, playing-card, porcupine, pram, praying-mantis,
    pyramid, raccoon, radio-telescope, rainbow, refrigerator, revolver-101, rifle, rotary-phone, roulette-wheel,
    saddle, saturn, school-bus, scorpion-101, screwdriver, segway, self-propelled-lawn-mower, sextant, sheet-music,
    skateboard, skunk, skyscraper, smokestack, snail, snake, sneaker, snowmobile, soccer-ball, socks, soda-can,
    spaghetti, speed-boat, spider, spoon, stained-glass, starfish-101, steering-wheel, stirrups, sunflower-101,
    superman, sushi, swan, swiss-army-knife, sword, syringe, tambourine, teapot, teddy-bear, teepee, telephone-box,
    tennis-ball, tennis-court, tennis-racket, theodolite, toaster, tomato, tombstone, top-hat, touring-bike,
    tower-pisa, traffic-light, treadmill, triceratops, tricycle, trilobite-101, tripod, t-shirt, tuning-fork,
    tweezer, umbrella-101, unicorn, vcr, video-projector, washing-machine, watch-101, waterfall, watermelon,
    welding-mask, wheelbarrow, windmill, wine-bottle, xylophone, yarmulke, yo-yo, zebra, airplanes-101,
    car-side-101, faces-easy-101, greyhound, tennis-shoes, toad, clutter""")
SUN397 = _split_names("""
    abbey, airplane_cabin, airport_terminal, alley, amphitheater, amusement_arcade, amusement_park,
    anechoic_chamber, apartment_building/outdoor, apse/indoor, aquarium, aqueduct, arch, archive,
    arrival_gate/outdoor, art_gallery, art_school, art_studio, assembly_line, athletic_field/outdoor, atrium/public,
    attic, auditorium, auto_factory, badlands, badminton_court/indoor, baggage_claim, bakery/shop, balcony/exterior,
    balcony/interior, ball_pit, ballroom, bamboo_forest, banquet_hall, bar, barn, barndoor, baseball_field,
    basement, basilica, basketball_court/outdoor, bathroom, batters_box, bayou, bazaar/indoor, bazaar/outdoor,
    beach, beauty_salon, bedroom, berth, biology_laboratory, bistro/indoor, boardwalk, boat_deck, boathouse,
    bookstore, booth/indoor, botanical_garden, bow_window/indoor, bow_window/outdoor, bowling_alley, boxing_ring,
    brewery/indoor, bridge, building_facade, bullring, burial_chamber, bus_interior, butchers_shop, butte,
    cabin/outdoor, cafeteria, campsite, campus, canal/natural, canal/urban, candy_store, canyon,
    car_interior/backseat, car_interior/frontseat, carrousel, casino/indoor, castle, catacomb, cathedral/indoor,
    cathedral/outdoor, cavern/indoor, cemetery, chalet, cheese_factory, chemistry_lab, chicken_coop/indoor,
    chicken_coop/outdoor, childs_room, church/indoor, church/outdoor, classroom, clean_room, cliff, cloister/indoor,
    closet, clothing_store, coast, cockpit, coffee_shop, computer_room, conference_center, conference_room,
    construction_site, control_room, control_tower/outdoor, corn_field, corral, corridor, cottage_garden,
    courthouse, courtroom, courtyard, covered_bridge/exterior, creek, crevasse, crosswalk, cubicle/office, dam,
    delicatessen, dentists_office, desert/sand, desert/vegetation, diner/indoor, diner/outdoor, dinette/home,
    dinette/vehicle, dining_car, dining_room, discotheque, dock, doorway/outdoor, dorm_room, driveway,
    driving_range/outdoor, drugstore, electrical_substation, elevator/door, elevator/interior, elevator_shaft,
    engine_room, escalator/indoor, excavation, factory/indoor, fairway, fastfood_restaurant, field/cultivated,
    field/wild, fire_escape, fire_station, firing_range/indoor, fishpond, florist_shop/indoor, food_court,
    forest/broadleaf, forest/needleleaf, forest_path, forest_road, formal_garden, fountain, galley, game_room,
    garage/indoor, garbage_dump, gas_station, gazebo/exterior, general_store/indoor, general_store/outdoor,
    gift_shop, golf_course, greenhouse/indoor, greenhouse/outdoor, gymnasium/indoor, hangar/indoor, hangar/outdoor,
    harbor, hayfield, heliport, herb_garden, highway, hill, home_office, hospital, hospital_room, hot_spring,
    hot_tub/outdoor, hotel/outdoor, hotel_room, house, hunting_lodge/outdoor, ice_cream_parlor, ice_floe, ice_shelf,
    ice_skating_rink/indoor, ice_skating_rink/outdoor, iceberg, igloo, industrial_area, inn/outdoor, islet,
    jacuzzi/indoor, jail/indoor, jail_cell, jewelry_shop, kasbah, kennel/indoor, kennel/outdoor,
    kindergarden_classroom, kitchen, kitchenette, labyrinth/outdoor, lake/natural, landfill, landing_deck,
    laundromat, lecture_room, library/indoor, library/outdoor, lido_deck/outdoor, lift_bridge, lighthouse,
    limousine_interior, living_room, lobby, lock_chamber, locker_room, mansion, manufactured_home, market/indoor,
    market/outdoor, marsh, martial_arts_gym, mausoleum, medina, moat/water, monastery/outdoor, mosque/indoor,
    mosque/outdoor, motel, mountain, mountain_snowy, movie_theater/indoor, museum/indoor, music_store, music_studio,
    nuclear_power_plant/outdoor, nursery, oast_house, observatory/outdoor, ocean, office, office_building,
    oil_refinery/outdoor, oilrig, operating_room, orchard, outhouse/outdoor, pagoda, palace, pantry, park,
    parking_garage/indoor, parking_garage/outdoor, parking_lot, parlor, pasture, patio, pavilion, pharmacy,
    phone_booth, physics_laboratory, picnic_area, pilothouse/indoor, planetarium/outdoor, playground, playroom,
    plaza, podium/indoor, podium/outdoor, pond, poolroom/establishment, poolroom/home, power_plant/outdoor,
    promenade_deck, pub/indoor, pulpit, putting_green, racecourse, raceway, raft, railroad_track, rainforest,
    reception, recreation_room, residential_neighborhood, restaurant, restaurant_kitchen, restaurant_patio,
    rice_paddy, riding_arena, river, rock_arch, rope_bridge, ruin, runway, sandbar, sandbox, sauna, schoolhouse,
    sea_cliff, server_room, shed, shoe_shop, shopfront, shopping_mall/indoor, shower, skatepark, ski_lodge,
    ski_resort, ski_slope, sky, skyscraper, slum, snowfield, squash_court, stable, stadium/baseball,
    stadium/football, stage/indoor, staircase, street, subway_interior, subway_station/platform, supermarket,
    sushi_bar, swamp, swimming_pool/indoor, swimming_pool/outdoor, synagogue/indoor, synagogue/outdoor,
    television_studio, temple/east_asia, temple/south_asia, tennis_court/indoor, tennis_court/outdoor, tent/outdoor,
    theater/indoor_procenium, theater/indoor_seats, thriftshop, throne_room, ticket_booth, toll_plaza,
    topiary_garden, tower, toyshop, track/outdoor, train_railway, train_station/platform, tree_farm, tree_house,
    trench, underwater/coral_reef, utility_room, valley, van_interior, vegetable_garden, veranda,
    veterinarians_office, viaduct, videostore, village, vineyard, volcano, volleyball_court/indoor,
    volleyball_court/outdoor, waiting_room, warehouse/indoor, water_tower, waterfall/block, waterfall/fan,
    waterfall/plunge, watering_hole, wave, wet_bar, wheat_field, wind_farm, windmill, wine_cellar/barrel_storage,
    wine_cellar/bottle_storage, wrestling_ring/indoor, yard, youth_hostel""")
EMOTIONS = _split_names("angry, disgusted, fearful, happy, sad, surprised, neutral")
SENTIMENTS = ("negative", "positive")
